//! Reads `auth` and `access` of a broker: the clients that may connect, and their rights.
#![expect(clippy::unit_arg, reason = "an assignment whose value may be missing is one expression")]

use std::sync::Arc;

use bytes::Bytes;
use halfopen_protocol::packet::Connect;

use super::Lower;
use crate::ast::{self, Field, Param, Place};
use crate::plan::{AccessList, AccessRights, BrokerAuth, Dialogue};

impl Lower<'_> {
    pub(super) fn access(&self, access: &ast::AccessList) -> Option<AccessList> {
        let mut read = AccessList::default();
        let complete = [
            self.put(&access.everybody, |v| Some(read.everybody = self.rights(v)?)),
            self.put(&access.anonymous, |v| Some(read.anonymous = self.rights(v)?)),
            self.put(&access.users, |users| {
                for (name, rights) in &users.0 {
                    if name.text.trim() != name.text || name.text.is_empty() || name.text.contains(['#', '\n']) {
                        self.error(&name.place, format!("`{}` cannot be a user of an access list", name.text));
                        return None;
                    }
                    read.users.insert(name.text.clone(), self.rights(&*rights.get(self.env)?)?);
                }
                Some(())
            }),
        ];
        (!complete.contains(&false)).then_some(read)
    }

    fn rights(&self, rights: &ast::AccessRights) -> Option<AccessRights> {
        let filters = |field: &Option<Field<Param<ast::OneOrMore<Param<ast::Text>>>>>| match field {
            None => Some(Vec::new()),
            Some(_) => {
                let written = self.get(field)?;
                let mut read = Vec::new();
                for item in &written.0 {
                    let text = item.get(self.env)?.0.clone();
                    self.check_filter(&text, &item.place)?;
                    read.push(text);
                }
                Some(read)
            }
        };
        Some(AccessRights {
            read: filters(&rights.read)?,
            write: filters(&rights.write)?,
            deny: filters(&rights.deny)?,
        })
    }

    pub(super) fn auth(&self, auth: &ast::Auth) -> Option<BrokerAuth> {
        let mut read = BrokerAuth::default();
        let mut complete = self.has_keys(auth) && self.put(&auth.anonymous, |v| Some(read.anonymous = *v));
        complete &= self.put(&auth.users, |users| {
            for (name, password) in &users.0 {
                read.users.insert(name.text.clone(), self.payload(&*password.get(self.env)?)?);
            }
            Some(())
        });
        read.dialogue = match (&auth.method, &auth.dialogue) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                let method = self.get(&auth.method)?.0.clone();
                let words = self.words(&*self.get(&auth.dialogue)?)?;
                Some(Dialogue { method, words })
            }
            (Some(Field { value, .. }), None) => return self.alone(&value.place),
            (None, Some(Field { value, .. })) => return self.alone(&value.place),
        };
        complete.then_some(read)
    }

    /// Reads the words of a dialogue.
    fn words(&self, dialogue: &ast::Dialogue) -> Option<Vec<Vec<Bytes>>> {
        dialogue.0.iter().map(|choice| self.each(&choice.0, |word| self.payload(word))).collect()
    }

    /// Reads the dialogue of a client, whose first word stands in its CONNECT.
    pub(super) fn dialogue(
        &self,
        written: &Field<Param<ast::Dialogue>>,
        connect: &mut Connect,
    ) -> Option<Arc<[Vec<Bytes>]>> {
        let words = self.words(&*written.value.get(self.env)?)?;
        if connect.authentication_method.is_none() {
            self.error(
                &written.key,
                "`dialogue` needs `authentication_method`, the name of the authentication".to_owned(),
            );
            return None;
        }
        if connect.authentication_data.is_some() {
            let message = "the first word of `dialogue` is the `authentication_data`; leave that out".to_owned();
            self.error(&written.key, message);
            return None;
        }
        connect.authentication_data = words.first().and_then(|choice| choice.first().cloned());
        Some(words.into())
    }

    fn alone(&self, place: &Place) -> Option<BrokerAuth> {
        self.error(place, "`method` and `dialogue` go together");
        None
    }
}
