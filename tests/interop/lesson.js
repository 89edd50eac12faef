// The two clients of a lesson about keep-alive: client 1 publishes every 10 s with a keep-alive of 5 s, client 2 only
// listens, and both ping between. Only port and version come from the command line.
const mqtt = require("mqtt");
const [port, protocolVersion] = process.argv.slice(2).map(Number);

const publisher = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "1", keepalive: 5, protocolVersion });
const subscriber = mqtt.connect(`mqtt://127.0.0.1:${port}`, { clientId: "2", keepalive: 5, protocolVersion });

publisher.on("connect", () => {
  const publish = () => publisher.publish("home/kitchen/table", "clean", { qos: 1 });
  publish();
  setInterval(publish, 10_000);
});

subscriber.on("connect", () => subscriber.subscribe("home/kitchen/table", { qos: 1 }));
