// SPDX-License-Identifier: MIT
//! Drives rumqttc (its MQTT 5 client) by the line protocol of tests/foreign/drivers.py.

use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, Packet, PubAckReason, SubscribeReasonCode};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{Client, Connection, ConnectionError, Event, MqttOptions, StateError};
use std::io::{stdin, BufRead};

fn say(fields: &[&str]) {
    let words: Vec<String> = fields
        .iter()
        .map(|field| field.replace(['\t', '\r', '\n'], " "))
        .collect();
    println!("{}", words.join("\t"));
}

fn granted(reason: &SubscribeReasonCode) {
    let code = match reason {
        SubscribeReasonCode::Success(qos) => (*qos as u8).to_string(),
        SubscribeReasonCode::NotAuthorized => "135".into(),
        _ => "-".into(),
    };
    say(&["granted", &code, &format!("{reason:?}")]);
}

fn published(reason: PubAckReason) {
    let code = match reason {
        PubAckReason::Success | PubAckReason::NoMatchingSubscribers => "0",
        PubAckReason::NotAuthorized => "135",
        _ => "-",
    };
    say(&["published", code, &format!("{reason:?}")]);
}

fn incoming(packet: Packet) {
    match packet {
        Packet::ConnAck(_) => say(&["connected"]),
        Packet::SubAck(answer) => granted(&answer.return_codes[0]),
        Packet::PubAck(answer) => published(answer.reason),
        Packet::Publish(message) => say(&[
            "message",
            &String::from_utf8_lossy(&message.topic),
            &String::from_utf8_lossy(&message.payload),
        ]),
        _ => {}
    }
}

fn failed(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(ConnectReturnCode::NotAuthorized) => {
            format!("refused\t135\t{error}")
        }
        ConnectionError::ConnectionRefused(_) => format!("refused\t-\t{error}"),
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            format!("disconnected\t{}\t{error}", *reason_code as u8)
        }
        _ => format!("disconnected\t-\t{error}"),
    }
}

// The loop of rumqttc's own examples: poll again after every error, at once. The same error again is not printed.
fn poll(mut connection: Connection) {
    let mut last = String::new();
    for event in connection.iter() {
        match event {
            Ok(Event::Incoming(packet)) => {
                last.clear();
                incoming(packet);
            }
            Ok(Event::Outgoing(_)) => {}
            Err(error) => {
                let line = failed(&error);
                if line != last {
                    println!("{}", line.replace('\n', " "));
                }
                last = line;
            }
        }
    }
}

fn open(words: &[&str]) -> Client {
    let port = words[1].parse().expect("a port");
    let mut options = MqttOptions::new(words[2], words[0], port);
    options.set_credentials("jwt", words[3]);
    let (client, connection) = Client::new(options, 10);
    std::thread::spawn(move || poll(connection));
    client
}

fn main() {
    let mut client = None;
    for line in stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split('\t').collect();
        match (words[0], &client) {
            ("connect", _) => client = Some(open(&words[1..])),
            ("subscribe", Some(client)) => client
                .subscribe(words[1], QoS::AtLeastOnce)
                .expect("queued"),
            ("publish", Some(client)) => client
                .publish(words[1], QoS::AtLeastOnce, false, words[2].to_owned())
                .expect("queued"),
            _ => panic!("unknown command: {line}"),
        }
    }
}
