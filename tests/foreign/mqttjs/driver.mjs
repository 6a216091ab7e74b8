// SPDX-License-Identifier: MIT
// Drives MQTT.js by the line protocol of tests/foreign/drivers.py.

import { createInterface } from 'node:readline'
import mqtt from 'mqtt'

function say(...fields) {
  console.log(fields.map((field) => String(field).replace(/[\t\r\n]+/g, ' ')).join('\t'))
}

// fails KIND ERROR: an error with the reason code that MQTT.js puts on it.
function fails(kind, error) {
  say(kind, error.code ?? '-', `${error.name}: ${error.message}`)
}

function open(host, port, clientId, token) {
  const client = mqtt.connect(`mqtt://${host}:${port}`, {
    protocolVersion: 5, clientId, username: 'jwt', password: token,
  })
  client.on('connect', () => say('connected'))
  client.on('error', (error) => fails('refused', error))
  client.on('disconnect', (packet) => say('disconnected', packet.reasonCode, 'event disconnect'))
  client.on('message', (topic, payload) => say('message', topic, payload))
  return client
}

let client
const commands = {
  connect(host, port, clientId, token) {
    client = open(host, port, clientId, token)
  },
  subscribe(topic) {
    client.subscribe(topic, { qos: 1 }, (error, _granted, packet) =>
      error ? say('granted', packet?.granted[0] ?? '-', `${error.name}: ${error.message}`)
        : say('granted', packet.granted[0], 'no error'))
  },
  publish(topic, payload) {
    client.publish(topic, payload, { qos: 1 }, (error) =>
      error ? fails('published', error) : say('published', 0, 'no error'))
  },
}

const lines = createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const [name, ...fields] = line.split('\t')
  commands[name](...fields)
})
lines.on('close', () => process.exit(0))
