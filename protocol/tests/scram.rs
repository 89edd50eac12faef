//! SCRAM-SHA-256 against the example of RFC 7677 (§3), and what neither side accepts.

use halfopen_protocol::scram::{ClientExchange, ClientFirst, ScramError, ServerExchange, Verifier};
use rstest::rstest;

const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SALT: [u8; 16] = [0x5B, 0x6D, 0x99, 0x68, 0x9D, 0x12, 0x35, 0x8E, 0xEC, 0xA0, 0x4B, 0x14, 0x12, 0x36, 0xFA, 0x81];
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const ANSWER: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const END: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn verifier() -> Verifier {
    Verifier::new("pencil", &SALT, 4096).expect("a plain password")
}

fn client() -> ClientExchange {
    ClientExchange::new("user", "pencil", CLIENT_NONCE).expect("plain text")
}

fn server() -> ServerExchange {
    let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").expect("the example");
    first.challenge(verifier(), SERVER_NONCE).expect("a nonce").1
}

#[test]
fn both_sides_say_what_the_example_says() {
    let client = client();
    assert_eq!(client.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let first = ClientFirst::parse(client.first().as_bytes()).expect("valid");
    assert_eq!(first.user(), "user");
    let (challenge, server) = first.challenge(verifier(), SERVER_NONCE).expect("valid");
    assert_eq!(challenge, CHALLENGE);
    let (answer, proof) = client.answer(challenge.as_bytes()).expect("valid");
    assert_eq!(answer, ANSWER);
    let end = server.verify(answer.as_bytes()).expect("the right password");
    assert_eq!(end, END);
    assert_eq!(proof.check(end.as_bytes()), Ok(()));
}

#[test]
fn a_wrong_password_is_found_out_and_so_is_a_server_that_does_not_know_it() {
    let wrong = ClientExchange::new("user", "pen", CLIENT_NONCE).expect("plain text");
    let (answer, proof) = wrong.answer(CHALLENGE.as_bytes()).expect("valid");
    assert_eq!(server().verify(answer.as_bytes()), Err(ScramError::WrongProof));
    assert_eq!(proof.check(END.as_bytes()), Err(ScramError::WrongProof));
    assert_eq!(proof.check(b"e=invalid-proof"), Err(ScramError::Refused));
}

#[test]
fn nobody_knows_the_password_of_a_user_that_does_not_exist() {
    let first = ClientFirst::parse(client().first().as_bytes()).expect("valid");
    let unmatchable = Verifier::unmatchable("user", &[7; 32], 4096);
    let (challenge, server) = first.challenge(unmatchable.clone(), SERVER_NONCE).expect("valid");
    assert_eq!(challenge.len(), CHALLENGE.len(), "it must look like any other");
    let (answer, _) = ClientExchange::new("user", "pencil", CLIENT_NONCE)
        .expect("plain text")
        .answer(challenge.as_bytes())
        .expect("valid");
    assert_eq!(server.verify(answer.as_bytes()), Err(ScramError::WrongProof));
    assert_eq!(unmatchable, Verifier::unmatchable("user", &[7; 32], 4096), "and the same each time");
    assert_ne!(unmatchable, Verifier::unmatchable("user", &[8; 32], 4096));
    assert_ne!(unmatchable, Verifier::unmatchable("other", &[7; 32], 4096));
}

#[rstest]
#[case::empty("", ScramError::Malformed("no header"))]
#[case::header_only("n,,", ScramError::Malformed("an attribute is missing or out of order"))]
#[case::order("n,,r=abc,n=user", ScramError::Malformed("an attribute is missing or out of order"))]
#[case::binding("p=tls-unique,,n=user,r=abc", ScramError::Unsupported("channel binding"))]
#[case::flag("x,,n=user,r=abc", ScramError::Malformed("no header"))]
#[case::identity("n,a=other,n=user,r=abc", ScramError::Unsupported("to act for another user"))]
#[case::extension("n,,m=x,n=user,r=abc", ScramError::Unsupported("a mandatory extension"))]
#[case::no_nonce("n,,n=user,r=", ScramError::Prohibited("a nonce"))]
#[case::nonce("n,,n=user,r=a b", ScramError::Prohibited("a nonce"))]
#[case::name("n,,n=us=er,r=abc", ScramError::Malformed("a user name with a bare `=`"))]
fn the_first_message_is_read_strictly(#[case] message: &str, #[case] error: ScramError) {
    assert_eq!(ClientFirst::parse(message.as_bytes()), Err(error));
}

#[rstest]
#[case::no_proof("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")]
#[case::header(&ANSWER.replace("biws", "eSws"))]
#[case::nonce(&ANSWER.replace("hvY", "hvZ"))]
#[case::short_proof("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzb")]
#[case::not_base64("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=~")]
fn the_answer_is_read_strictly(#[case] message: &str) {
    let error = server().verify(message.as_bytes()).expect_err("wrong");
    assert!(matches!(error, ScramError::Malformed(_)), "{error:?}");
}

#[rstest]
#[case::nonce(CHALLENGE.replace("rOpr", "rOps"), ScramError::Malformed("not the nonce of this exchange"))]
#[case::nonce_without_the_servers_part(
    "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".to_owned(),
    ScramError::Malformed("not the nonce of this exchange")
)]
#[case::too_few(CHALLENGE.replace("4096", "4095"), ScramError::Iterations(4095))]
#[case::too_many(CHALLENGE.replace("4096", "4000000000"), ScramError::Iterations(4_000_000_000))]
#[case::extension(format!("m=x,{CHALLENGE}"), ScramError::Unsupported("a mandatory extension"))]
fn a_client_does_not_answer_every_challenge(#[case] challenge: String, #[case] error: ScramError) {
    assert_eq!(client().answer(challenge.as_bytes()).expect_err("wrong"), error);
}

#[test]
fn names_may_have_commas_and_equals_signs() {
    let client = ClientExchange::new("a=b,c", "pencil", "abc").expect("allowed");
    assert_eq!(client.first(), "n,,n=a=3Db=2Cc,r=abc");
    assert_eq!(ClientFirst::parse(client.first().as_bytes()).expect("valid").user(), "a=b,c");
}

#[test]
fn a_verifier_survives_its_text() {
    let text = verifier().to_string();
    assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{text}");
    let read: Verifier = text.parse().expect("its own text");
    assert_eq!(read, verifier());
    assert!(read.fits("pencil"));
    assert!(!read.fits("pencils"));
    assert!(!format!("{read:?}").contains("stored"), "{read:?}");
    for broken in ["", "SCRAM-SHA-256$4096:W22Z", &text.replace("256$4096", "256$10"), &text[..text.len() - 4]] {
        assert!(broken.parse::<Verifier>().is_err(), "{broken}");
    }
}

#[test]
fn passwords_are_prepared() {
    // SOFT HYPHEN is nothing, and a Roman numeral is its letters (RFC 4013).
    assert!(Verifier::new("I\u{AD}X", &SALT, 4096).expect("allowed").fits("\u{2168}"));
    assert_eq!(Verifier::new("\u{7}", &SALT, 4096), Err(ScramError::Prohibited("a password")));
    assert_eq!(Verifier::new("", &SALT, 4096), Err(ScramError::Prohibited("a password")));
}
