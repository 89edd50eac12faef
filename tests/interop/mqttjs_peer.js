// One client of MQTT.js. Takes commands from stdin, one a line, and prints what happens: see tests/interop/peer.rs.
const mqtt = require("mqtt");
const [port, version] = process.argv.slice(2).map(Number);

let client;
const say = (...words) => console.log(words.join(" "));
const fail = (error) => {
  say("error", error.message);
  process.exit(1);
};
const done = (words) => (error, granted) => (error ? fail(error) : say(...words(granted)));

const commands = {
  connect(id, clean, keepalive, topic, payload, qos, retain) {
    client = mqtt.connect({
      protocol: process.env.TRANSPORT ?? "mqtt",
      host: "127.0.0.1",
      port,
      protocolVersion: version,
      clientId: id,
      clean: clean === "1",
      keepalive: Number(keepalive),
      reconnectPeriod: 0,
      properties: version === 5 && clean === "0" ? { sessionExpiryInterval: 3600 } : undefined,
      will: topic && { topic, payload, qos: Number(qos), retain: retain === "1" },
    });
    client.on("connect", (connack) => say("connected", Number(connack.sessionPresent)));
    client.on("message", (topic, payload, packet) =>
      say("message", topic, payload.toString(), packet.qos, Number(packet.retain)));
    client.on("error", fail);
    client.on("close", () => {
      say("closed");
      process.exit(0);
    });
  },
  subscribe: (filter, qos) =>
    client.subscribe(filter, { qos: Number(qos) }, done((granted) => ["subscribed", granted[0].qos])),
  publish: (topic, payload, qos, retain) =>
    client.publish(topic, payload, { qos: Number(qos), retain: retain === "1" }, done(() => ["published"])),
  disconnect: () => client.end(),
};

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [command, ...words] = line.split(" ");
    commands[command](...words);
  });
