//! Enumerations travel as numbers; zero, the unset value, and unknown numbers are refused.

use crate::{DecodeError, v1};

macro_rules! enumeration {
    ($read:ident, $name:ident, $field:literal: $($variant:ident),+) => {
        impl From<job::$name> for v1::$name {
            fn from(value: job::$name) -> Self {
                match value { $(job::$name::$variant => v1::$name::$variant,)+ }
            }
        }

        pub(crate) fn $read(number: i32) -> Result<job::$name, DecodeError> {
            match v1::$name::try_from(number) {
                $(Ok(v1::$name::$variant) => Ok(job::$name::$variant),)+
                Ok(v1::$name::Unspecified) | Err(_) => {
                    Err(DecodeError::Unknown { field: $field, number })
                }
            }
        }
    };
}

enumeration!(source, Source, "requested.source": Diun, DiunEntry, Person, Bowline);
enumeration!(level, Level, "planned.plan.risk.level": Safe, Caution, Unknown);
enumeration!(
    cause, Cause, "rollback_requested.cause":
    CiFailed, NotApplied, Unhealthy, Cancelled, Person
);
enumeration!(transience, Transience, "aborted.transience": Transient, Lasting);
enumeration!(
    monitor_state, MonitorState, "baselined.monitors":
    Down, Up, Pending, Maintenance
);
