//! The macros that define the types of the language: the type, the rows of its reference, reading and writing, at once.

/// The name of a key: that of the field, or the one that is given.
macro_rules! key_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// A key, with its default if one is given.
macro_rules! key_with_default {
    ($key:expr) => {
        $key
    };
    ($key:expr, $default:literal) => {
        $key.or($default)
    };
}

/// The key of a table: since which version it is there.
macro_rules! key_status {
    () => {
        crate::keys::Status::Ready
    };
    (since_5) => {
        crate::keys::Status::Since5
    };
}

/// Defines keys of a map once: the struct, the rows of the reference, reading and writing.
///
/// `name: Type => "what it means"`, with `as "name"` where the field has another name than the key, `= "default"` and
/// `since_5`. `! name => "reason"` is a key that is explained to the author who writes it.
macro_rules! group {
    ($(#[$doc:meta])* $name:ident {
        $($field:ident $(as $key:literal)? : $type:ty $(= $default:literal)? $(, $since:ident)? => $about:literal;)*
        $(! $never:ident => $reason:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $(#[doc = $about] pub $field: Option<$crate::ast::Field<$type>>,)*
        }

        impl $crate::ast::value::Group for $name {
            const KEYS: &'static [$crate::keys::Key] = &[
                $($crate::keys::Key {
                    status: $crate::ast::macros::key_status!($($since)?),
                    ..$crate::ast::macros::key_with_default!(
                        $crate::keys::key($crate::ast::macros::key_name!($field $($key)?), $about)
                            .takes(<$type as $crate::ast::value::Value>::TAKES)
                        $(, $default)?
                    )
                },)*
                $($crate::keys::never(stringify!($never), $reason),)*
            ];

            fn set(
                &mut self,
                cx: &$crate::ast::reading::Reading<'_>,
                name: &str,
                key: &$crate::tree::Node,
                value: &$crate::tree::Node,
            ) -> bool {
                use $crate::ast::value::Value as _;
                $(if name == $crate::ast::macros::key_name!($field $($key)?) {
                    let key = $crate::ast::Place::of(key);
                    self.$field = <$type>::read(cx, value).map(|value| $crate::ast::Field { key, value });
                    return true;
                })*
                false
            }

            fn entries(
                &self,
                fill: $crate::ast::value::Fill<'_>,
            ) -> Vec<(&'static str, $crate::ast::Place, $crate::tree::Node)> {
                use $crate::ast::value::Value as _;
                let entries = [$(self.$field.as_ref().map(|field| {
                    ($crate::ast::macros::key_name!($field $($key)?), field.key.clone(), field.value.write(fill))
                })),*];
                entries.into_iter().flatten().collect()
            }

            fn present(&self) -> Vec<(&'static $crate::keys::Key, &$crate::ast::Place)> {
                let places = [$(self.$field.as_ref().map(|field| &field.key)),*];
                Self::KEYS.iter().zip(places).filter_map(|(key, place)| Some((key, place?))).collect()
            }
        }
    };
}

/// Defines a map with keys of its own: a [`group!`] that is a map.
macro_rules! map {
    ($(#[$doc:meta])* $name:ident = $what:literal $(needs $($required:literal),+)? { $($keys:tt)* }) => {
        $crate::ast::macros::group! { $(#[$doc])* $name { $($keys)* } }

        impl $crate::ast::value::Map for $name {
            const TABLE: &'static $crate::keys::Table = &$crate::keys::Table {
                what: $what,
                keys: &[<Self as $crate::ast::value::Group>::KEYS],
            };
            const REQUIRED: &'static [&'static str] = &[$($($required),+)?];

            fn set(
                &mut self,
                cx: &$crate::ast::reading::Reading<'_>,
                name: &str,
                key: &$crate::tree::Node,
                value: &$crate::tree::Node,
            ) {
                $crate::ast::value::Group::set(self, cx, name, key, value);
            }

            fn entries(
                &self,
                fill: $crate::ast::value::Fill<'_>,
            ) -> Vec<(&'static str, $crate::ast::Place, $crate::tree::Node)> {
                $crate::ast::value::Group::entries(self, fill)
            }

            fn present(&self) -> Vec<(&'static $crate::keys::Key, &$crate::ast::Place)> {
                $crate::ast::value::Group::present(self)
            }
        }
    };
}

/// Defines a map whose keys are those of several groups, so that maps can share some.
macro_rules! composed {
    ($(#[$doc:meta])* $name:ident = $what:literal { $($(#[$field_doc:meta])* $field:ident : $group:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $group,)*
        }

        impl $crate::ast::value::Map for $name {
            const TABLE: &'static $crate::keys::Table = &$crate::keys::Table {
                what: $what,
                keys: &[$(<$group as $crate::ast::value::Group>::KEYS),*],
            };
            const REQUIRED: &'static [&'static str] = &[];

            fn set(
                &mut self,
                cx: &$crate::ast::reading::Reading<'_>,
                name: &str,
                key: &$crate::tree::Node,
                value: &$crate::tree::Node,
            ) {
                use $crate::ast::value::Group as _;
                let _ = $(self.$field.set(cx, name, key, value))||*;
            }

            fn entries(
                &self,
                fill: $crate::ast::value::Fill<'_>,
            ) -> Vec<(&'static str, $crate::ast::Place, $crate::tree::Node)> {
                use $crate::ast::value::Group as _;
                let mut entries = Vec::new();
                $(entries.extend(self.$field.entries(fill));)*
                entries
            }

            fn present(&self) -> Vec<(&'static $crate::keys::Key, &$crate::ast::Place)> {
                use $crate::ast::value::Group as _;
                let mut present = Vec::new();
                $(present.extend(self.$field.present());)*
                present
            }
        }
    };
}

/// Defines words of which one stands somewhere: the enum, the rows of the reference, reading and writing.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident = $what:literal {
        $($variant:ident = $word:literal => $about:literal;)*
        $(! $never:literal => $reason:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $(#[doc = $about] $variant,)*
        }

        impl $name {
            pub(crate) const KEYS: &'static [$crate::keys::Key] =
                &[$($crate::keys::key($word, $about),)* $($crate::keys::never($never, $reason)),*];

            /// The words, in the order of the reference.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in a scenario.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl $crate::ast::value::Value for $name {
            const TAKES: $crate::keys::ValueKind = $crate::keys::ValueKind::Words(Self::KEYS);

            fn read(
                cx: &$crate::ast::reading::Reading<'_>,
                node: &$crate::tree::Node,
            ) -> Option<Self> {
                let place = cx.word(node, $what, Self::KEYS)?;
                Some(Self::ALL[place])
            }

            fn write(&self, _: $crate::ast::value::Fill<'_>) -> $crate::tree::Node {
                $crate::tree::Node::word(self.word())
            }
        }
    };
}

pub(crate) use {composed, group, key_name, key_status, key_with_default, map, words};
