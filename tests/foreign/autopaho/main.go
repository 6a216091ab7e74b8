// SPDX-License-Identifier: MIT

// Drives paho.golang's autopaho by the line protocol of tests/foreign/drivers.py.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

var output sync.Mutex

var oneLine = strings.NewReplacer("\t", " ", "\r", " ", "\n", " ")

func say(fields ...any) {
	words := make([]string, len(fields))
	for at, field := range fields {
		words[at] = oneLine.Replace(fmt.Sprint(field))
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(strings.Join(words, "\t"))
}

func text(err error) string {
	if err == nil {
		return "nil error"
	}
	return err.Error()
}

func onConnectError(err error) {
	var refused *autopaho.ConnackError
	if errors.As(err, &refused) {
		say("refused", refused.ReasonCode, err)
		return
	}
	say("refused", "-", err)
}

func open(host, port, clientID, token string) (*autopaho.ConnectionManager, error) {
	server, err := url.Parse("mqtt://" + host + ":" + port)
	if err != nil {
		return nil, err
	}
	return autopaho.NewConnection(context.Background(), autopaho.ClientConfig{
		ServerUrls:      []*url.URL{server},
		KeepAlive:       20,
		ConnectUsername: "jwt",
		ConnectPassword: []byte(token),
		OnConnectionUp:  func(*autopaho.ConnectionManager, *paho.Connack) { say("connected") },
		OnConnectError:  onConnectError,
		ClientConfig: paho.ClientConfig{
			ClientID:           clientID,
			OnServerDisconnect: func(packet *paho.Disconnect) { say("disconnected", packet.ReasonCode, "OnServerDisconnect") },
			OnClientError:      func(err error) { say("disconnected", "-", err) },
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){
				func(received paho.PublishReceived) (bool, error) {
					say("message", received.Packet.Topic, string(received.Packet.Payload))
					return true, nil
				},
			},
		},
	})
}

func subscribe(client *autopaho.ConnectionManager, topic string) {
	answer, err := client.Subscribe(context.Background(), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: topic, QoS: 1}},
	})
	if answer == nil {
		say("granted", "-", text(err))
		return
	}
	say("granted", answer.Reasons[0], text(err))
}

func publish(client *autopaho.ConnectionManager, topic, payload string) {
	answer, err := client.Publish(context.Background(), &paho.Publish{
		QoS: 1, Topic: topic, Payload: []byte(payload),
	})
	if answer == nil {
		say("published", "-", text(err))
		return
	}
	say("published", answer.ReasonCode, text(err))
}

func main() {
	var client *autopaho.ConnectionManager
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		words := strings.Split(lines.Text(), "\t")
		switch words[0] {
		case "connect":
			var err error
			if client, err = open(words[1], words[2], words[3], words[4]); err != nil {
				say("refused", "-", err)
			}
		case "subscribe":
			go subscribe(client, words[1])
		case "publish":
			go publish(client, words[1], words[2])
		}
	}
}
