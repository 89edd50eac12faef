//! Filters, and what a SUBSCRIBE says of them.
#![expect(clippy::unit_arg, reason = "an assignment whose value may be missing is one expression")]

use halfopen_protocol::packet::{QoS, RetainHandling, Subscription};
use halfopen_protocol::topic;

use super::Lower;
use crate::ast::{self, Place, QosLevel};

impl Lower<'_> {
    /// Filters with their options.
    pub(super) fn subscriptions(&self, subscriptions: &ast::Subscriptions) -> Option<Vec<Subscription>> {
        self.each(&subscriptions.0, |subscription| self.subscription(subscription))
    }

    /// Returns filters with their options, and the subscription identifier that their SUBSCRIBE carries for all of them.
    pub(super) fn subscribe(&self, subscriptions: &ast::Subscriptions) -> Option<(Vec<Subscription>, Option<u32>)> {
        let read = self.subscriptions(subscriptions)?;
        let mut id = None;
        for item in &subscriptions.0 {
            let item = item.get(self.env)?;
            let ast::Subscription::With(keys) = &*item else { continue };
            let Some(field) = &keys.subscription_id else { continue };
            let own: u32 = field.value.get(self.env)?.to()?;
            if id.is_some_and(|id| id != own) {
                let message = "one SUBSCRIBE has one identifier; subscribe with several of them";
                self.error(&field.value.place, message);
                return None;
            }
            id = Some(own);
        }
        Some((read, id))
    }

    fn subscription(&self, subscription: &ast::Subscription) -> Option<Subscription> {
        let keys = match subscription {
            ast::Subscription::Filter(_, text) => return Some(Subscription::new(text.0.as_str(), QoS::AtMostOnce)),
            ast::Subscription::With(keys) => keys,
        };
        let mut read = Subscription::new(self.get(&keys.filter)?.0.as_str(), QoS::AtMostOnce);
        let complete = [
            self.has_keys(&**keys),
            self.put(&keys.qos, |v| Some(read.qos = qos(*v))),
            self.put(&keys.no_local, |v| Some(read.no_local = *v)),
            self.put(&keys.retain_as_published, |v| Some(read.retain_as_published = *v)),
            self.put(&keys.retain_handling, |v| {
                read.retain_handling = match v.value {
                    0 => RetainHandling::Send,
                    1 => RetainHandling::SendIfNew,
                    _ => RetainHandling::DoNotSend,
                };
                Some(())
            }),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    /// Reports filters that the project's client would not send.
    pub(super) fn check_filters(&self, subscriptions: &ast::Subscriptions) -> Option<()> {
        let mut right = Some(());
        for item in &subscriptions.0 {
            let item = item.get(self.env)?;
            let checked = match &*item {
                ast::Subscription::Filter(place, text) => self.check_filter(&text.0, place),
                ast::Subscription::With(keys) => match &keys.filter {
                    Some(filter) => self.check_filter(&filter.value.get(self.env)?.0, &filter.value.place),
                    None => None,
                },
            };
            right = right.and(checked);
        }
        right
    }

    /// Reports a filter that the project's client would not send.
    pub(super) fn check_filter(&self, text: &str, place: &Place) -> Option<()> {
        let Err(wrong) = topic::check_filter(text, self.version) else { return Some(()) };
        let message = format!("`{text}` is no topic filter: {}; a client does not send it", wrong.what);
        let note = format!("{}; a raw client may `send` a SUBSCRIBE with it", wrong.clause);
        self.error_with_note(place, message, note);
        None
    }
}

/// The level of QoS, of which there are three.
pub(super) fn qos(level: QosLevel) -> QoS {
    level.to().and_then(QoS::new).unwrap_or_default()
}
