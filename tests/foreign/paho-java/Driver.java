// SPDX-License-Identifier: MIT

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttActionListener;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/**
 * Drives Paho Java's MQTT 5 client by the line protocol of tests/foreign/drivers.py.
 *
 * <p>Its automatic reconnect begins only after the first connection. Until then this program tries again every second,
 * unless the broker answers "not authorized".
 */
public final class Driver implements MqttCallback {
    private static final int NOT_AUTHORIZED = 135;

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private final MqttConnectionOptions options = new MqttConnectionOptions();
    private final MqttAsyncClient client;

    private Driver(String host, String port, String clientId, String token) throws MqttException {
        client = new MqttAsyncClient("tcp://" + host + ":" + port, clientId, new MemoryPersistence());
        client.setCallback(this);
        options.setUserName("jwt");
        options.setPassword(token.getBytes(StandardCharsets.UTF_8));
        options.setAutomaticReconnect(true);
    }

    private static synchronized void say(Object... fields) {
        System.out.println(Arrays.stream(fields)
                .map(field -> String.valueOf(field).replaceAll("[\t\r\n]+", " "))
                .collect(Collectors.joining("\t")));
        System.out.flush();
    }

    private static Object code(int code) {
        return code == 0 ? "-" : code;
    }

    private void connect() {
        try {
            client.connect(options, null, new MqttActionListener() {
                @Override
                public void onSuccess(IMqttToken token) {}

                @Override
                public void onFailure(IMqttToken token, Throwable error) {
                    failedFirst(error);
                }
            });
        } catch (MqttException error) {
            failedFirst(error);
        }
    }

    private void failedFirst(Throwable error) {
        int reason = error instanceof MqttException ? ((MqttException) error).getReasonCode() : 0;
        say("refused", code(reason), error);
        if (reason != NOT_AUTHORIZED) {
            timer.schedule(this::connect, 1, TimeUnit.SECONDS);
        }
    }

    /** Reports the answer to a SUBSCRIBE or PUBLISH as KIND. */
    private static MqttActionListener report(String kind) {
        return new MqttActionListener() {
            @Override
            public void onSuccess(IMqttToken token) {
                say(kind, token.getReasonCodes()[0], "no exception");
            }

            @Override
            public void onFailure(IMqttToken token, Throwable error) {
                int[] codes = token.getReasonCodes();
                say(kind, codes == null || codes.length == 0 ? "-" : codes[0], error);
            }
        };
    }

    private void subscribe(String filter) throws MqttException {
        client.subscribe(filter, 1, null, report("granted"));
    }

    private void publish(String topic, String payload) throws MqttException {
        client.publish(topic, payload.getBytes(StandardCharsets.UTF_8), 1, false, null, report("published"));
    }

    @Override
    public void connectComplete(boolean reconnect, String server) {
        say("connected");
    }

    @Override
    public void disconnected(MqttDisconnectResponse response) {
        say("disconnected", code(response.getReturnCode()), "MqttDisconnectResponse");
    }

    @Override
    public void messageArrived(String topic, MqttMessage message) {
        say("message", topic, new String(message.getPayload(), StandardCharsets.UTF_8));
    }

    @Override
    public void mqttErrorOccurred(MqttException error) {}

    @Override
    public void deliveryComplete(IMqttToken token) {}

    @Override
    public void authPacketArrived(int reasonCode, MqttProperties properties) {}

    public static void main(String[] arguments) throws IOException, MqttException {
        Driver driver = null;
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split("\t");
            switch (words[0]) {
                case "connect":
                    driver = new Driver(words[1], words[2], words[3], words[4]);
                    driver.connect();
                    break;
                case "subscribe":
                    driver.subscribe(words[1]);
                    break;
                case "publish":
                    driver.publish(words[1], words[2]);
                    break;
                default:
                    throw new IllegalArgumentException(words[0]);
            }
        }
        System.exit(0);
    }
}
