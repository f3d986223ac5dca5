use job::{Body, Owner, UpgradeId};

/// The names of one instance's subjects, streams and buckets.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    instance: String,
}

/// What a fact's subject says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: UpgradeId,
    pub(crate) n: u64,
    pub(crate) next: Owner,
}

impl Names {
    pub(crate) fn new(instance: &str) -> Option<Names> {
        let legal = !instance.is_empty()
            && instance
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        legal.then(|| Names {
            instance: instance.to_owned(),
        })
    }

    pub(crate) fn fact(&self, id: &UpgradeId, n: u64, next: Owner, body: &Body) -> String {
        format!(
            "{}.upgrades.{id}.{n}.{}.{}",
            self.instance,
            next.as_str(),
            body.name()
        )
    }

    pub(crate) fn upgrade(&self, id: &UpgradeId) -> String {
        format!("{}.upgrades.{id}.>", self.instance)
    }

    pub(crate) fn upgrades(&self) -> String {
        format!("{}.upgrades.>", self.instance)
    }

    pub(crate) fn owner(&self, owner: Owner) -> String {
        format!("{}.upgrades.*.*.{}.*", self.instance, owner.as_str())
    }

    pub(crate) fn archive(&self, id: &str) -> String {
        format!("{}.archive.{id}", self.instance)
    }

    pub(crate) fn intake(&self) -> String {
        format!("{}.intake", self.instance)
    }

    /// The stream of facts, `ARCHIVE` or `INTAKE`.
    pub(crate) fn stream(&self, name: &str) -> String {
        format!("{}_{name}", self.instance)
    }

    pub(crate) fn bucket(&self, name: &str) -> String {
        format!("{}_{name}", self.instance)
    }

    /// Reads a fact's subject; none if it is not one of this instance.
    pub(crate) fn place(&self, subject: &str) -> Option<Place> {
        let rest = subject
            .strip_prefix(self.instance.as_str())?
            .strip_prefix(".upgrades.")?;
        let mut tokens = rest.split('.');
        let place = Place {
            id: UpgradeId::parse(tokens.next()?).ok()?,
            n: tokens.next()?.parse().ok()?,
            next: Owner::parse(tokens.next()?)?,
        };
        tokens.next()?;
        tokens.next().is_none().then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_says_upgrade_number_and_owner() {
        let names = Names::new("home").unwrap();
        let id = UpgradeId::derive("home", "infra", "redis", "7", 1);
        let subject = names.fact(&id, 12, Owner::Undo, &Body::Started);
        assert_eq!(subject, format!("home.upgrades.{id}.12.undo.started"));
        assert_eq!(
            names.place(&subject),
            Some(Place {
                id,
                n: 12,
                next: Owner::Undo
            })
        );
    }

    #[test]
    fn foreign_and_broken_subjects_are_refused() {
        let names = Names::new("home").unwrap();
        for subject in [
            "homes.upgrades.0123456789abcdef.1.undo.started",
            "home.upgrades.0123456789abcdef.x.undo.started",
            "home.upgrades.0123456789abcdef.1.nobody.started",
            "home.upgrades.0123456789abcdef.1.undo",
            "home.upgrades.0123456789abcdef.1.undo.started.more",
        ] {
            assert_eq!(names.place(subject), None, "{subject}");
        }
    }

    #[test]
    fn an_instance_is_one_token() {
        for bad in ["", "a.b", "a b", "a>", "*"] {
            assert!(Names::new(bad).is_none(), "{bad}");
        }
    }
}
