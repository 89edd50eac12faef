//! Asks a question and answers it, as 5.0 has it (§4.10): response topic and correlation data.
//! `cargo run -p halfopen-client --example request_response`.

use halfopen_client::{ConnectOptions, Error, Publish, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run("localhost", 1883).await.map(|answer| println!("{answer}"))
}

pub(crate) async fn run(host: &str, port: u16) -> Result<String, Error> {
    let (asking, mut answers) = ConnectOptions::new(host, port).client_id("example-asking").connect().await?;
    asking.subscribe("example/answers/asking", QoS::AtLeastOnce).await?;
    let (answering, mut questions) = ConnectOptions::new(host, port).client_id("example-answering").connect().await?;
    answering.subscribe("example/questions", QoS::AtLeastOnce).await?;

    let question = Publish {
        topic: "example/questions".into(),
        qos: QoS::AtLeastOnce,
        payload: "6 x 7".into(),
        response_topic: Some("example/answers/asking".into()),
        correlation_data: Some("1".into()),
        ..Publish::default()
    };
    asking.publish_with(question).await?;

    if let Some(question) = questions.recv().await
        && let Some(topic) = question.response_topic.clone()
    {
        let correlation_data = question.correlation_data.clone();
        let answer =
            Publish { qos: QoS::AtLeastOnce, correlation_data, payload: "42".into(), topic, ..Publish::default() };
        answering.publish_with(answer).await?;
    }
    let answer = answers.recv().await.map(|answer| String::from_utf8_lossy(&answer.payload).into_owned());
    asking.disconnect().await?;
    answering.disconnect().await?;
    Ok(answer.unwrap_or_default())
}
