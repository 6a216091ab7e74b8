// SPDX-License-Identifier: MIT

import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.lifecycle.MqttClientDisconnectedContext;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5ConnAckException;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5DisconnectException;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5PubAckException;
import com.hivemq.client.mqtt.mqtt5.exceptions.Mqtt5SubAckException;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5PublishResult;
import com.hivemq.client.mqtt.mqtt5.message.subscribe.suback.Mqtt5SubAck;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Drives the HiveMQ client by the line protocol of tests/foreign/drivers.py. */
public final class Driver {
    private static Mqtt5AsyncClient client;

    private static synchronized void say(Object... fields) {
        System.out.println(Arrays.stream(fields)
                .map(field -> String.valueOf(field).replaceAll("[\t\r\n]+", " "))
                .collect(Collectors.joining("\t")));
        System.out.flush();
    }

    private static String text(Throwable error) {
        return error.getClass().getSimpleName() + ": " + error.getMessage();
    }

    private static void disconnected(MqttClientDisconnectedContext context) {
        Throwable cause = context.getCause();
        if (cause instanceof Mqtt5ConnAckException) {
            say("refused", ((Mqtt5ConnAckException) cause).getMqttMessage().getReasonCode().getCode(), text(cause));
        } else if (cause instanceof Mqtt5DisconnectException) {
            var reason = ((Mqtt5DisconnectException) cause).getMqttMessage().getReasonCode();
            say("disconnected", reason.getCode(), reason);
        } else {
            say("disconnected", "-", text(cause));
        }
    }

    private static void message(Mqtt5Publish publish) {
        say("message", publish.getTopic(), new String(publish.getPayloadAsBytes(), StandardCharsets.UTF_8));
    }

    private static void granted(Mqtt5SubAck answer, Throwable error) {
        if (error == null) {
            say("granted", answer.getReasonCodes().get(0).getCode(), "no exception");
        } else if (error instanceof Mqtt5SubAckException) {
            var answered = ((Mqtt5SubAckException) error).getMqttMessage();
            say("granted", answered.getReasonCodes().get(0).getCode(), text(error));
        } else {
            say("granted", "-", text(error));
        }
    }

    private static void published(Mqtt5PublishResult result, Throwable failure) {
        Throwable error = failure != null ? failure : result.getError().orElse(null);
        if (error == null) {
            say("published", 0, "no exception");
        } else if (error instanceof Mqtt5PubAckException) {
            say("published", ((Mqtt5PubAckException) error).getMqttMessage().getReasonCode().getCode(), text(error));
        } else {
            say("published", "-", text(error));
        }
    }

    private static void connect(String host, int port, String clientId, String token) {
        client = MqttClient.builder().useMqttVersion5().identifier(clientId).serverHost(host).serverPort(port)
                .simpleAuth().username("jwt").password(token.getBytes(StandardCharsets.UTF_8)).applySimpleAuth()
                .automaticReconnectWithDefaultConfig()
                .addConnectedListener(context -> say("connected"))
                .addDisconnectedListener(Driver::disconnected)
                .buildAsync();
        client.publishes(MqttGlobalPublishFilter.ALL, Driver::message);
        client.connect();
    }

    public static void main(String[] arguments) throws IOException {
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t");
            switch (words[0]) {
                case "connect":
                    connect(words[1], Integer.parseInt(words[2]), words[3], words[4]);
                    break;
                case "subscribe":
                    client.subscribeWith().topicFilter(words[1]).qos(MqttQos.AT_LEAST_ONCE).send()
                            .whenComplete(Driver::granted);
                    break;
                case "publish":
                    client.publishWith().topic(words[1]).qos(MqttQos.AT_LEAST_ONCE)
                            .payload(words[2].getBytes(StandardCharsets.UTF_8)).send()
                            .whenComplete(Driver::published);
                    break;
                default:
                    throw new IllegalArgumentException(words[0]);
            }
        }
        System.exit(0);
    }
}
