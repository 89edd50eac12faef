// The program of a lesson about keep-alive: client 1 publishes now and then, client 2 subscribes, and both ping
// between. Port, version, keep-alive (seconds) and period (milliseconds) come from the command line.
const mqtt = require("mqtt");
const [port, protocolVersion, keepalive, period] = process.argv.slice(2).map(Number);

const publisher = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "1", keepalive, protocolVersion });
const subscriber = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "2", keepalive, protocolVersion });

subscriber.on("connect", () => subscriber.subscribe("home/kitchen/table", () => console.log("subscribed")));
subscriber.on("message", (topic, payload) => console.log("message", topic, payload.toString()));

publisher.on("connect", () => {
  const publish = () => publisher.publish("home/kitchen/table", "clean", { qos: 1 }, () => console.log("acknowledged"));
  publish();
  setInterval(publish, period);
});

for (const client of [publisher, subscriber]) {
  client.on("error", (error) => console.log("error", error.message));
  client.on("close", () => console.log("closed"));
}
