// The adapter of MQTT.js 5: one client, told what to do by JSON lines. docs/adapters.md documents the lines.
"use strict";
const mqtt = require("mqtt");

const say = (event, fields) => process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
const from_hex = (text) => text === undefined ? undefined : Buffer.from(text, "hex");
const to_hex = (bytes) => bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");

// A property that may come once is a list where it came twice.
const to_number = (value) => value === undefined ? undefined : Number([value].flat()[0]);

// What is not set must not be there: MQTT.js writes `undefined` properties as if they were.
const without_gaps = (object) => {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
};

// Pairs in their order to MQTT.js's object of names, and back.
const to_object = (pairs) => {
  if (pairs === undefined) return undefined;
  const object = {};
  for (const [name, value] of pairs) object[name] = name in object ? [object[name], value].flat() : value;
  return object;
};
const to_pairs = (object) =>
  object && Object.entries(object).flatMap(([name, values]) => [values].flat().map((value) => [name, value]));

const message_properties = (line) => ({
  // MQTT.js takes no number here, and closes the connection at one.
  payloadFormatIndicator: line.payload_format === undefined ? undefined : line.payload_format !== 0,
  messageExpiryInterval: line.message_expiry,
  topicAlias: line.topic_alias,
  responseTopic: line.response_topic,
  correlationData: from_hex(line.correlation_data),
  userProperties: to_object(line.user_properties),
  contentType: line.content_type,
});

const if_v5 = (properties) => client_line.protocol_level === 5 ? without_gaps(properties) : undefined;

let client;
let client_line;
// What QoS 1 and 2 owe, which outlives a client whose session does.
let stores;

const done = (kind) => (error) => error ? say("error", { text: error.message }) : say("acknowledged", { what: kind });

const subscribe = (subscriptions, subscription_id) => {
  const filters = {};
  for (const s of subscriptions) {
    filters[s.filter] = { qos: s.qos, nl: s.no_local, rap: s.retain_as_published, rh: s.retain_handling };
  }
  client.subscribe(filters, { properties: if_v5({ subscriptionIdentifier: subscription_id }) }, done("subscribe"));
};

const commands = {
  connect(line) {
    client_line = line;
    // Of an earlier connection nothing is left but what the session keeps.
    client?.removeAllListeners().on("error", () => {}).end(true);
    stores ??= { incomingStore: new mqtt.Store({ clean: false }), outgoingStore: new mqtt.Store({ clean: false }) };
    if (line.clean) stores = undefined;
    const { will } = line;
    const options = {
      host: line.host,
      port: line.port,
      ...(line.transport && { protocol: "ws", path: "/mqtt" }),
      protocolVersion: line.protocol_level,
      clientId: line.client_id,
      clean: line.clean,
      keepalive: line.keep_alive,
      username: line.username,
      password: from_hex(line.password),
      connectTimeout: line.connect_timeout_ms,
      reconnectPeriod: line.reconnect?.min_ms ?? 0,
      reconnectOnConnackError: line.reconnect !== undefined,
      // The application does it, see below.
      resubscribe: false,
      will: will && {
        topic: will.topic,
        payload: from_hex(will.payload),
        qos: will.qos,
        retain: will.retain,
        properties: if_v5({ willDelayInterval: will.delay, ...message_properties(will) }),
      },
      properties: if_v5({
        sessionExpiryInterval: line.session_expiry,
        receiveMaximum: line.receive_maximum,
        maximumPacketSize: line.maximum_packet_size,
        topicAliasMaximum: line.topic_alias_maximum,
        requestResponseInformation: line.request_response_information,
        requestProblemInformation: line.request_problem_information,
        userProperties: to_object(line.user_properties),
      }),
      ...stores,
    };
    try {
      client = mqtt.connect(options);
    } catch (error) {
      return say("cannot", { text: `MQTT.js does not connect: ${error.message}` });
    }
    // Its pause is always the same; an application that wants longer ones sets it before the next is made.
    const { reconnect } = line;
    client.on("reconnect", () => {
      client.options.reconnectPeriod = Math.min(client.options.reconnectPeriod * reconnect.factor, reconnect.max_ms);
    });
    client.on("connect", (connack) => {
      if (reconnect) client.options.reconnectPeriod = reconnect.min_ms;
      say("connected", { session_present: connack.sessionPresent });
      if (!connack.sessionPresent && line.subscribe) subscribe(line.subscribe);
    });
    client.on("message", (topic, payload, packet) => {
      const properties = packet.properties ?? {};
      say("message", {
        topic,
        payload: to_hex(payload),
        qos: packet.qos,
        retain: packet.retain,
        dup: packet.dup,
        id: packet.messageId || undefined,
        payload_format: to_number(properties.payloadFormatIndicator),
        message_expiry: properties.messageExpiryInterval,
        response_topic: properties.responseTopic,
        correlation_data: to_hex(properties.correlationData),
        user_properties: to_pairs(properties.userProperties),
        subscription_ids: properties.subscriptionIdentifier && [properties.subscriptionIdentifier].flat(),
        content_type: properties.contentType,
      });
    });
    client.on("close", () => say("closed"));
    client.on("error", (error) => say("error", { text: error.message }));
  },
  subscribe: (line) => subscribe(line.subscriptions, line.subscription_id),
  unsubscribe: (line) => client.unsubscribe(line.filters, done("unsubscribe")),
  publish(line) {
    const options = { qos: line.qos, retain: line.retain, properties: if_v5(message_properties(line)) };
    client.publish(line.topic, from_hex(line.payload), options, done("publish"));
  },
  disconnect: (line) => client.end(false, {
    reasonCode: line.reason,
    properties: if_v5({
      sessionExpiryInterval: line.session_expiry,
      reasonString: line.reason_string,
      userProperties: to_object(line.user_properties),
    }),
  }),
  close: () => client.end(true),
};

require("readline").createInterface({ input: process.stdin }).on("line", (text) => {
  const line = JSON.parse(text);
  if (!Object.hasOwn(commands, line.do)) return say("cannot", { text: `\`${line.do}\` is nothing that the adapter knows` });
  try {
    commands[line.do](line);
  } catch (error) {
    // Some of what it refuses it throws, and before the first connection there is no client.
    say("error", { text: error.message });
  }
});
say("ready");
