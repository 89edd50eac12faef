/// Declares the named defects of a core as an enum, each with one row: its name, what it does, the cases from the field that
/// it models, and the ids of the expectations that are about it, as `will/power_loss#2` for the second of that scenario.
///
/// Gives the enum `ALL`, and the columns as methods.
#[macro_export]
macro_rules! defects {
    (
        $(#[$attribute:meta])*
        $visibility:vis enum $Defect:ident {
            $(
                $(#[$note:meta])*
                $variant:ident $name:literal: $about:literal,
                models [$($case:literal),*], known_by [$($id:literal),+];
            )+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility enum $Defect {
            $(
                #[doc = concat!("What it does: ", $about, ".")]
                $(#[$note])*
                $variant,
            )+
        }

        impl $Defect {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns its name, in snake case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns what it does, in a few words.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }

            /// Returns the ids of the cases from the field that it models.
            pub const fn cases(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($case),*],)+ }
            }

            /// Returns the ids of the expectations that are about what it does, as `will/power_loss#2` for the second of that
            /// scenario.
            ///
            /// A test that fails says something about a bug only if it fails because of it: a broker that drops its clients
            /// too early also loses messages, but that is not how one would find it.
            pub const fn known_by(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($id),+],)+ }
            }
        }
    };
}
