//! A git host with a small repository and a mirror of it.

use std::path::Path;

use mirror::{Commit, FileEdit, Meta, Mirror, Remote, Secret};
use tempfile::TempDir;
use testkit::git::{GitServer, git};

pub(crate) const FILE: &str = "stacks/paperless/main.tf";
pub(crate) const BEFORE: &[u8] = b"locals {\n  tag = \"1.0\"\n}\n\n# one\n# two\n# three\n# four\n";
pub(crate) const AFTER: &[u8] = b"locals {\n  tag = \"2.0\"\n}\n\n# one\n# two\n# three\n# four\n";
pub(crate) const SECRETS: &str = "secrets.tfvars";
/// As git-crypt stores it: a magic number, then bytes that are no text.
pub(crate) const CIPHER: &[u8] = b"\0GITCRYPT\0\xff\xfe\r\n\x80\0\r\nend";

pub(crate) struct Setup {
    pub(crate) server: GitServer,
    pub(crate) mirror: Mirror,
    pub(crate) dir: TempDir,
}

pub(crate) fn seed(root: &Path) {
    let stack = root.join("stacks/paperless");
    std::fs::create_dir_all(&stack).unwrap();
    std::fs::write(stack.join("main.tf"), BEFORE).unwrap();
    std::fs::write(stack.join("run.sh"), "#!/bin/sh\necho 1.0\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(stack.join("run.sh"), executable).unwrap();
    std::os::unix::fs::symlink("main.tf", stack.join("link.tf")).unwrap();
    std::fs::write(root.join(SECRETS), CIPHER).unwrap();
    let attributes = "*.tfvars filter=git-crypt diff=git-crypt\n*.tf text eol=crlf\n";
    std::fs::write(root.join(".gitattributes"), attributes).unwrap();
}

pub(crate) fn remote(server: &GitServer, token: &str) -> Remote {
    Remote {
        url: server.url(),
        branch: "main".to_owned(),
        user: server.user().to_owned(),
        token: Some(Secret::new(token)),
    }
}

impl Setup {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().join("seed");
        std::fs::create_dir(&root).unwrap();
        seed(&root);
        let server = GitServer::start(&root);
        let mirror =
            Mirror::open(&dir.path().join("mirror"), remote(&server, server.token())).unwrap();
        Self {
            server,
            mirror,
            dir,
        }
    }

    /// The upgrade's commit on a base, in the mirror only.
    pub(crate) fn upgrade(&self, base: &Commit) -> Commit {
        self.mirror
            .build(
                base,
                &[edit()],
                &meta("Upgrade paperless\n\nUpgrade-Id: p/1"),
            )
            .unwrap()
    }

    /// What the git program's own revert makes of `commit` on the branch's head: tree and message.
    pub(crate) fn git_revert(&self, commit: &Commit) -> (String, String) {
        let clone = TempDir::new_in(self.dir.path()).unwrap();
        let run = |args: &[&str]| {
            let output = git(clone.path(), args, b"").unwrap();
            String::from_utf8(output).unwrap()
        };
        run(&["clone", "--quiet", &self.server.url_with_token(), "."]);
        run(&["revert", "--no-edit", commit.as_str()]);
        let message = run(&["log", "-1", "--format=%B"]);
        (
            run(&["rev-parse", "HEAD^{tree}"]).trim().to_owned(),
            format!("{}\n", message.trim_end()),
        )
    }

    /// The tree of a commit in the mirror.
    pub(crate) fn tree_id(&self, commit: &Commit) -> String {
        let dir = self.dir.path().join("mirror");
        let output = git(&dir, ["rev-parse", &format!("{commit}^{{tree}}")], b"").unwrap();
        String::from_utf8(output).unwrap().trim().to_owned()
    }
}

pub(crate) fn edit() -> FileEdit {
    FileEdit {
        path: FILE.to_owned(),
        before: BEFORE.to_vec(),
        after: AFTER.to_vec(),
    }
}

pub(crate) fn meta(message: &str) -> Meta {
    Meta {
        message: message.to_owned(),
        author_name: "Bowline".to_owned(),
        author_email: "bowline@example.org".to_owned(),
        at_unix: 1_760_000_000,
    }
}

/// An error and all its causes.
pub(crate) fn chain(error: &mirror::Error) -> String {
    let source = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{error}: {source} ({error:?})")
}
