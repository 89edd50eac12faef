//! What one run may use: a few kinds of nodes, features and faults, each with a weight of its own.

use std::time::Duration;

use crate::random::Random;

/// Something that a story can do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deed {
    Publish,
    Burst,
    Periodic,
    Subscribe,
    Unsubscribe,
    Connect,
    Disconnect,
    Close,
    Goodbye,
    Ping,
    Part,
    OpenOnly,
    Repeat,
    StopPinging,
    Crash,
    PowerLoss,
    BrokerFails,
    LoseDisk,
    Pause,
    PauseBroker,
    StopReading,
    SetWallClock,
    ClockLeaps,
    Partition,
    HalfOpen,
    Reset,
    SetLink,
    Answer,
    TakeOver,
    Site,
    Expire,
    Window,
    FakeSends,
    FakeCloses,
    FakeSilent,
    Configure,
    OtherConnect,
    Renew,
    Offend,
}

/// Deeds of a story with a broker, and how often each is drawn among all that are switched on.
const OF_BROKER: [(u64, Deed); 36] = [
    (10, Deed::Publish),
    (3, Deed::Burst),
    (3, Deed::Periodic),
    (3, Deed::Subscribe),
    (1, Deed::Unsubscribe),
    (8, Deed::Connect),
    (3, Deed::Disconnect),
    (4, Deed::Close),
    (1, Deed::Goodbye),
    (3, Deed::Ping),
    (1, Deed::Part),
    (1, Deed::OpenOnly),
    (2, Deed::Repeat),
    (2, Deed::StopPinging),
    (3, Deed::Crash),
    (3, Deed::PowerLoss),
    (3, Deed::BrokerFails),
    (1, Deed::LoseDisk),
    (1, Deed::Pause),
    (1, Deed::PauseBroker),
    (2, Deed::StopReading),
    (1, Deed::SetWallClock),
    (1, Deed::ClockLeaps),
    (3, Deed::Partition),
    (3, Deed::HalfOpen),
    (2, Deed::Reset),
    (2, Deed::SetLink),
    (3, Deed::Answer),
    (3, Deed::TakeOver),
    (2, Deed::Site),
    (3, Deed::Expire),
    (2, Deed::Window),
    (1, Deed::Configure),
    (2, Deed::OtherConnect),
    (1, Deed::Renew),
    (2, Deed::Offend),
];

/// The same of a story in which a scripted broker faces clients.
const OF_FAKE: [(u64, Deed); 18] = [
    (8, Deed::Publish),
    (2, Deed::Burst),
    (3, Deed::Periodic),
    (1, Deed::Subscribe),
    (3, Deed::Connect),
    (1, Deed::Disconnect),
    (1, Deed::Close),
    (2, Deed::Crash),
    (2, Deed::PowerLoss),
    (1, Deed::Pause),
    (2, Deed::StopReading),
    (1, Deed::SetWallClock),
    (2, Deed::Partition),
    (2, Deed::HalfOpen),
    (6, Deed::Answer),
    (8, Deed::FakeSends),
    (5, Deed::FakeCloses),
    (3, Deed::FakeSilent),
];

/// A group of features and deeds that seldom meet where each is switched on by itself; one story in five has all of one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Focus {
    /// Members of a group come, go, and take nothing.
    Groups,
    /// A client reads nothing while much is to be sent to it.
    Congestion,
    /// Messages and what is retained expire while nobody takes them.
    Expiry,
    /// Windows are full when a connection is lost.
    Windows,
    /// Many topics have a retained message when somebody subscribes.
    Retained,
}

const FOCI: [Focus; 5] = [Focus::Groups, Focus::Congestion, Focus::Expiry, Focus::Windows, Focus::Retained];

impl Focus {
    /// Returns the deeds that belong to it.
    fn deeds(self) -> &'static [Deed] {
        match self {
            Self::Groups => {
                &[Deed::Publish, Deed::Connect, Deed::Disconnect, Deed::Close, Deed::Answer, Deed::Unsubscribe]
            }
            Self::Congestion => &[Deed::Publish, Deed::Burst, Deed::StopReading, Deed::Periodic],
            Self::Expiry => &[Deed::Publish, Deed::Disconnect, Deed::Connect, Deed::Subscribe, Deed::Close],
            Self::Retained => &[Deed::Publish, Deed::Publish, Deed::Burst, Deed::Subscribe, Deed::Connect],
            Self::Windows => &[Deed::Burst, Deed::Publish, Deed::Answer, Deed::Close, Deed::Connect, Deed::Repeat],
        }
    }
}

/// Number of steps that a story has at most before it ends.
pub(super) const MOST_STEPS: u64 = 14;

/// The features and faults that one run may use.
#[derive(Clone, Debug)]
pub(super) struct Swarm {
    /// True if a scripted broker takes the place of the broker.
    pub(super) is_fake: bool,
    pub(super) is_v5: bool,
    /// True if clients of both versions meet.
    pub(super) is_mixed: bool,
    /// True if times are of days, and nothing goes on in between.
    pub(super) is_long: bool,
    pub(super) deeds: Vec<(u64, Deed)>,
    pub(super) has_sessions: bool,
    pub(super) has_wills: bool,
    pub(super) has_retained: bool,
    pub(super) has_reconnects: bool,
    pub(super) has_windows: bool,
    pub(super) has_aliases: bool,
    pub(super) has_options: bool,
    pub(super) has_overlaps: bool,
    pub(super) has_shared: bool,
    pub(super) has_expiry: bool,
    pub(super) has_limits: bool,
    pub(super) has_large: bool,
    /// True if messages and wills have properties of 5.0.
    pub(super) has_properties: bool,
    /// True if a middlebox forgets connections.
    pub(super) has_middlebox: bool,
    /// True if subscriptions have identifiers.
    pub(super) has_ids: bool,
    /// True if a SUBSCRIBE or UNSUBSCRIBE has several filters.
    pub(super) has_lists: bool,
    /// True if an access list forbids a topic.
    pub(super) has_access: bool,
    /// True if the broker announces that it does not take everything.
    pub(super) has_refusals: bool,
    /// True if the broker knows users and their passwords.
    pub(super) has_users: bool,
    /// True if clients authenticate in a dialogue.
    pub(super) has_dialogue: bool,
    /// True if there is a second broker, to which clients go when they lose the first.
    pub(super) has_spare: bool,
    /// True if scripted peers break rules.
    pub(super) has_offences: bool,
    pub(super) is_durable: bool,
    pub(super) has_silent_peers: bool,
    pub(super) qos: Vec<u64>,
    pub(super) keep_alives: Vec<Duration>,
    pub(super) latency: Option<Duration>,
    pub(super) steps: u64,
}

impl Swarm {
    /// Draws what a run may use; everything if `is_off`.
    pub(super) fn draw(random: &mut Random, is_off: bool) -> Self {
        let is_fake = random.chance(30);
        let is_v5 = random.chance(65);
        let is_long = !is_off && random.chance(8);
        let all: &[(u64, Deed)] = if is_fake { &OF_FAKE } else { &OF_BROKER };
        let share = random.pick(&[25, 50, 75]);
        let mut deeds: Vec<(u64, Deed)> = all.iter().filter(|_| is_off || random.chance(share)).copied().collect();
        // Who breaks a rule loses its connection, and with it much of what a story is about.
        let has_offences = is_off || random.chance(25);
        deeds.retain(|(_, deed)| *deed != Deed::Offend || has_offences);
        if deeds.len() < 3 {
            deeds.push((8, Deed::Publish));
            deeds.push((8, Deed::Connect));
        }
        for (weight, _) in deeds.iter_mut().filter(|_| !is_off) {
            *weight *= random.pick(&[1, 1, 2, 4]);
        }
        let focus = (!is_off && !is_fake && !is_long && random.chance(20)).then(|| random.pick(&FOCI));
        for deed in focus.map(Focus::deeds).unwrap_or_default() {
            deeds.push((8, *deed));
        }
        let is_focus = |on: &[Focus]| focus.is_some_and(|focus| on.contains(&focus));
        // 3.1.1 knows neither groups nor expiry.
        let is_v5 = is_v5 || is_focus(&[Focus::Groups, Focus::Expiry]);
        let mut feature = |percent| is_off || random.chance(percent);
        let (has_sessions, has_wills, has_retained) = (feature(55), feature(45), feature(30));
        let (has_reconnects, has_windows, has_aliases) = (feature(50), feature(30), feature(20));
        let (has_options, has_overlaps, has_shared) = (feature(25), feature(30), feature(10));
        let (has_expiry, has_limits, has_large) = (feature(20), feature(30), feature(20));
        let (is_durable, has_silent_peers) = (feature(40), feature(40));
        let short = [1, 1, 2, 3, 5, 7, 10, 10, 60];
        let keep_alives = (0..2)
            .map(|_| match (is_long, random.chance(12)) {
                (true, _) => 65_535,
                (_, true) => 0,
                _ => random.pick(&short),
            })
            .map(Duration::from_secs)
            .collect();
        let qos = match random.below(4) {
            0 => vec![1],
            1 => vec![2],
            _ => vec![0, 1, 2],
        };
        let is_mixed = is_v5 && focus.is_none() && random.chance(10);
        let (has_properties, has_middlebox) = (random.chance(20) || is_off, random.chance(8) || is_off);
        let (has_ids, has_lists) = (random.chance(25) || is_off, random.chance(30) || is_off);
        let (has_access, has_refusals) = (random.chance(8) || is_off, random.chance(8) || is_off);
        let has_users = random.chance(10) || is_off;
        let (has_dialogue, has_spare) = (random.chance(8) || is_off, random.chance(8));
        Self {
            is_fake,
            is_v5,
            is_mixed,
            is_long,
            deeds,
            has_sessions: has_sessions || is_focus(&[Focus::Groups, Focus::Expiry, Focus::Windows]),
            has_wills,
            has_retained: has_retained || is_focus(&[Focus::Expiry, Focus::Retained]),
            has_reconnects: has_reconnects && !is_long,
            has_windows: has_windows || is_focus(&[Focus::Windows]),
            has_aliases,
            has_options,
            has_overlaps,
            // 3.1.1 knows none.
            has_shared: (has_shared || is_focus(&[Focus::Groups])) && is_v5 && !is_mixed,
            has_expiry: has_expiry || is_focus(&[Focus::Expiry]),
            has_limits: has_limits || is_focus(&[Focus::Retained]),
            has_large: has_large || is_focus(&[Focus::Congestion]),
            has_properties: has_properties && is_v5,
            has_middlebox: has_middlebox && !is_long,
            has_ids: has_ids && is_v5,
            has_lists,
            has_access,
            has_refusals: has_refusals && is_v5 && !is_mixed,
            has_users: has_users && !is_fake,
            // 3.1.1 knows none.
            has_dialogue: has_dialogue && is_v5 && !is_mixed && !is_fake,
            // A spare broker has no dialogue.
            has_spare: has_spare && !has_dialogue && !is_fake && !is_long,
            has_offences,
            is_durable,
            has_silent_peers,
            qos,
            keep_alives,
            latency: random.pick(&[None, None, Some(0), Some(0), Some(1), Some(100)]).map(Duration::from_millis),
            steps: 2 + random.below(MOST_STEPS - 2),
        }
    }
}
