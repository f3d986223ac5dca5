//! Image references inside structured values: objects, values of charts, and manifests, whether
//! they are written in HCL, in YAML or in JSON.

use hcl_edit::expr::Expression;
use std::rc::Rc;

use hcl_edit::structure::Body;

use crate::answer::Owner;
use crate::declared::Declared;
use crate::documents::documents;
use crate::eval::{DEPTH, Scope};
use crate::lifecycle::{Ignored, Step, ignored_by, ignored_in_json};
use crate::node::{Entry, Node, Seg};
use crate::owner;
use crate::parts::whole;
use crate::reference::{Reference, Said, What, in_registry, is_repository, reads_like_an_image};
use crate::yaml::Item;

/// Deeper values are none that a person wrote.
const MAX_DEPTH: usize = 60;

/// What a value belongs to.
#[derive(Clone)]
pub(crate) struct Around<'a> {
    /// The resource or module call, where it is one of HCL.
    pub(crate) declared: Option<Declared<'a>>,
    pub(crate) scope: Scope<'a>,
    /// The block that holds the attribute, where it is not the resource itself.
    pub(crate) container: Option<&'a Body>,
    pub(crate) steps: Vec<Step>,
    /// The Terraform type, of a resource in JSON.
    kind: String,
    /// The Kubernetes object around it.
    manifest: Option<Node<'a>>,
    /// The list element around it, with the name of the list.
    element: Option<(String, Node<'a>)>,
    /// The other documents that are merged with this one, the strongest last.
    pub(crate) others: Rc<Vec<Node<'a>>>,
    /// The resource itself, where it is written in JSON.
    json: Option<Node<'a>>,
    /// The keys that lead here within the value, as `--set` writes them.
    path: String,
    deep: usize,
}

impl<'a> Around<'a> {
    fn new(kind: &str, scope: Scope<'a>) -> Self {
        Self {
            kind: kind.to_owned(),
            declared: None,
            scope,
            container: None,
            steps: Vec::new(),
            manifest: None,
            element: None,
            others: Rc::default(),
            json: None,
            path: String::new(),
            deep: 0,
        }
    }

    /// Of an attribute in a block.
    pub(crate) fn block(
        declared: Declared<'a>,
        scope: Scope<'a>,
        container: Option<&'a Body>,
        steps: Vec<Step>,
    ) -> Self {
        Self {
            declared: Some(declared),
            container,
            steps,
            ..Self::new(declared.label(0), scope)
        }
    }

    /// Of what Terragrunt gives to a module.
    pub(crate) fn inputs(scope: &Scope<'a>) -> Self {
        Self::new("module", scope.clone())
    }

    /// Of a resource that is written in JSON.
    pub(crate) fn resource(kind: &str, node: &Node<'a>) -> Option<Self> {
        let Node::Yaml { scope, .. } = node else {
            return None;
        };
        Some(Self {
            json: Some(node.clone()),
            ..Self::new(kind, scope.clone())
        })
    }

    /// Whose image it is.
    pub(crate) fn owner(&self, repository: &str) -> Owner {
        if let Some(manifest) = &self.manifest {
            return owner::manifest(&self.scope, manifest, self.element.as_ref(), repository);
        }
        match self.declared {
            Some(declared) if self.kind == "helm_release" => Owner {
                image_repository: repository.to_owned(),
                ..owner::release(&self.scope, declared.body())
            },
            Some(declared) => owner::block(
                &self.scope,
                &declared,
                self.container,
                &self.steps,
                repository,
            ),
            None if self.kind == "helm_release" => Owner {
                kind: owner::kind(&self.kind),
                name: self.of_json("name"),
                namespace: self.of_json("namespace"),
                image_repository: repository.to_owned(),
                ..Owner::default()
            },
            None => Owner {
                kind: owner::kind(&self.kind),
                image_repository: repository.to_owned(),
                ..Owner::default()
            },
        }
    }

    /// A text of the resource, where it is written in JSON.
    fn of_json(&self, key: &str) -> Option<String> {
        let found = self.json.as_ref()?.select(&segments(key), DEPTH).ok()?;
        whole(&found.parts(DEPTH))
    }

    fn ignored(&self) -> Option<Ignored> {
        match (&self.json, self.declared) {
            (Some(resource), _) => ignored_in_json(resource, &self.steps),
            (None, Some(declared)) => ignored_by(&self.scope, declared.body(), &self.steps),
            (None, None) => None,
        }
    }

    /// What another document says beside this place.
    fn elsewhere(&self, key: &str) -> Option<Node<'a>> {
        let path = segments(&self.key(key).path);
        let mut others = self.others.iter().rev();
        others.find_map(|other| other.select(&path, DEPTH).ok())
    }

    fn says_elsewhere(&self, key: &str) -> bool {
        self.elsewhere(key).is_some()
    }

    /// The repository whose tag stands here, from another document.
    fn repository_elsewhere(&self, within_image: bool) -> Option<String> {
        let text = |key: &str| whole(&self.elsewhere(key)?.parts(DEPTH));
        let name = || if within_image { text("name") } else { None };
        let repository = text("repository").or_else(name)?;
        let repository = in_registry(text("registry"), repository);
        is_repository(&repository).then_some(repository)
    }

    fn key(&self, key: &str) -> Self {
        let mut inner = self.clone();
        inner.deep += 1;
        inner.steps.push(Step {
            name: key.to_owned(),
            position: None,
        });
        if !inner.path.is_empty() {
            inner.path.push('.');
        }
        inner.path.push_str(key);
        inner
    }

    fn item(&self, at: usize, node: &Node<'a>) -> Self {
        let mut inner = self.clone();
        inner.deep += 1;
        let list = inner
            .steps
            .last()
            .map_or("", |step| step.name.as_str())
            .to_owned();
        inner.element = Some((list, node.clone()));
        if let Some(last) = inner.steps.last_mut() {
            last.position = Some(at);
        }
        inner.path.push_str(&format!("[{at}]"));
        inner
    }
}

/// Whether values of this attribute are looked at where a variable or local holds them.
pub(crate) fn follows(attribute: &str) -> bool {
    matches!(
        attribute,
        "values" | "manifest" | "yaml_body" | "container_definitions" | "spec" | "containers"
    )
}

/// Whether a key says that its value is an image.
pub(crate) fn names_an_image(key: &str) -> bool {
    let key = plain(key);
    let ends = ["image", "imagename", "imageref", "imageuri"];
    ends.iter().any(|end| key.ends_with(end))
}

/// A key without what differs between ways of writing it.
fn plain(key: &str) -> String {
    let letters = key.chars().filter(|c| !matches!(c, '_' | '-'));
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Collects references from values.
pub(crate) struct Objects<'f> {
    pub(crate) found: &'f mut Vec<Reference>,
    pub(crate) root: String,
    /// Paths whose values are replaced by others, as `--set` writes them.
    pub(crate) overridden: Vec<String>,
}

impl Objects<'_> {
    /// Looks into the value of an attribute; through names only if it is `followed`.
    pub(crate) fn value<'a>(&mut self, node: &Node<'a>, around: &Around<'a>, followed: bool) {
        if around.deep > MAX_DEPTH || (!followed && is_name(node)) {
            return;
        }
        let docs = documents(node, DEPTH);
        if !docs.is_empty() {
            let many = docs.len() > 1;
            for (at, doc) in docs.iter().enumerate() {
                let around = if many {
                    around.item(at, doc)
                } else {
                    around.clone()
                };
                self.walk(doc, &around, followed);
            }
            return;
        }
        self.walk(node, around, followed);
    }

    fn walk<'a>(&mut self, node: &Node<'a>, around: &Around<'a>, followed: bool) {
        if around.deep > MAX_DEPTH {
            return;
        }
        let Ok(node) = node.select(&[], DEPTH) else {
            return;
        };
        let Some(entries) = node.entries(DEPTH) else {
            return;
        };
        if is_list(&node) {
            for (at, entry) in entries.iter().enumerate() {
                self.value(&entry.value, &around.item(at, &entry.value), followed);
            }
            return;
        }
        let mut around = around.clone();
        let has = |key: &str| {
            entries
                .iter()
                .any(|entry| entry.key.as_deref() == Some(key))
        };
        if has("kind") && has("metadata") {
            around.manifest = Some(node.clone());
        }
        self.chart(&entries, &around);
        let taken = self.pairs(&entries, &around);
        for entry in &entries {
            let Some(key) = entry.key.as_deref() else {
                self.value(&entry.value, &around.key("?"), followed);
                continue;
            };
            if taken.iter().any(|taken| taken == key) {
                continue;
            }
            let inner = around.key(key);
            if names_an_image(key) && self.image(key, &entry.value, &inner) {
                continue;
            }
            self.value(&entry.value, &inner, followed);
        }
    }

    /// A chart that an object of a delivery tool names: Argo CD's sources, Flux's releases and
    /// repositories, K3s's charts, and the like.
    pub(crate) fn chart<'a>(&mut self, entries: &[Entry<'a>], around: &Around<'a>) {
        let of = |wanted: &[&str]| {
            let mut found = entries.iter().filter(|entry| {
                let key = entry.key.as_deref().map(plain);
                key.is_some_and(|key| wanted.contains(&key.as_str()))
            });
            found.next()
        };
        let text = |entry: Option<&Entry<'a>>| {
            let parts = entry?.value.parts(DEPTH);
            whole(&parts).filter(|text| !text.is_empty())
        };
        // Flux keeps an OCI chart's version in a map of its own.
        let url = text(of(&["url"])).filter(|url| url.starts_with("oci://"));
        let (chart, version) = match (url, of(&["ref"])) {
            (Some(url), Some(reference)) => {
                let tags = reference.value.entries(DEPTH).unwrap_or_default();
                let tag = tags
                    .into_iter()
                    .find(|entry| entry.key.as_deref() == Some("tag"));
                (Some(url), tag)
            }
            _ => (
                text(of(&["chart"])),
                of(&["targetrevision", "chartversion", "version"]).cloned(),
            ),
        };
        let (Some(chart), Some(version)) = (chart, version) else {
            return;
        };
        let parts = version.value.parts(DEPTH);
        let constraint = whole(&parts).is_some_and(|text| text.contains(['*', '<', '>', '~', '^']));
        let local = chart.starts_with('.') || chart.starts_with('/');
        if constraint || local || version.value.entries(DEPTH).is_some() {
            return;
        }
        let around = around.key(version.key.as_deref().unwrap_or_default());
        let said = Said::apart(chart, parts, Vec::new());
        self.push(What::Chart, &version.value, Some(said), &around);
    }

    /// One image as a text; whether it is one.
    fn image<'a>(&mut self, key: &str, node: &Node<'a>, around: &Around<'a>) -> bool {
        for node in branches(node) {
            let parts = node.parts(DEPTH);
            if plain(key) != "image" && !reads_like_an_image(&parts) {
                return false;
            }
            let Some(said) = Said::of_image(&parts) else {
                // Of what is not known nothing can be said, but that it is there.
                if whole(&parts).is_none() && node.entries(DEPTH).is_none() {
                    self.add(&node, None, around);
                }
                return false;
            };
            self.add(&node, Some(said), around);
        }
        true
    }

    fn add<'a>(&mut self, node: &Node<'a>, said: Option<Said>, around: &Around<'a>) {
        self.push(What::Image, node, said, around);
    }

    fn push<'a>(&mut self, what: What, node: &Node<'a>, said: Option<Said>, around: &Around<'a>) {
        if self.overridden.contains(&around.path) {
            return;
        }
        let Some((path, line)) = node.position() else {
            return;
        };
        let repository = said.as_ref().map_or("", |said| said.repository.as_str());
        self.found.push(Reference {
            what,
            path: path.to_owned(),
            line,
            address: node.address().to_owned(),
            numbered: node.address().to_owned(),
            expression: node.shown(),
            owner: around.owner(repository),
            ignored_by: around.ignored(),
            root: self.root.clone(),
            said,
        });
    }

    /// Images whose repository and tag are values of their own; the keys that were used.
    pub(crate) fn pairs<'a>(&mut self, entries: &[Entry<'a>], around: &Around<'a>) -> Vec<String> {
        let mut taken = Vec::new();
        let find = |wanted: &[String]| {
            wanted.iter().find_map(|wanted| {
                let mut same = entries
                    .iter()
                    .filter(|entry| entry.key.as_deref().map(plain).as_ref() == Some(wanted));
                same.next()
            })
        };
        let within_image = around
            .steps
            .last()
            .is_some_and(|step| names_an_image(&step.name));
        for entry in entries {
            let Some(key) = entry.key.as_deref() else {
                continue;
            };
            let name = plain(key);
            let kinds = [
                "imagerepository",
                "repository",
                "imagerepo",
                "repo",
                "imagename",
                "newname",
                "image",
                "name",
            ];
            let Some(kind) = kinds.into_iter().find(|kind| name.ends_with(kind)) else {
                continue;
            };
            // Kustomize calls a tag new, and a name too if it changes.
            let kustomized = find(&["newtag".to_owned()]);
            if kind == "name" && !(name == "name" && (within_image || kustomized.is_some())) {
                continue;
            }
            if name == "name" && find(&["newname".to_owned()]).is_some() {
                continue;
            }
            let prefix = name.strip_suffix(kind).unwrap_or_default();
            let named = |ends: &[&str]| -> Vec<String> {
                ends.iter().map(|end| format!("{prefix}{end}")).collect()
            };
            let tag = find(&named(&["tag", "imagetag", "imageversion"])).or(kustomized);
            if tag.is_none() && !(within_image && name == "repository") {
                continue;
            }
            let Some(repository) = whole(&entry.value.parts(DEPTH)) else {
                continue;
            };
            let untagged = repository
                .rsplit('/')
                .next()
                .is_some_and(|last| !last.contains(':'));
            if !is_repository(&repository) || !untagged || repository.contains('@') {
                continue;
            }
            let registry = find(&named(&["registry", "imageregistry"]))
                .and_then(|registry| whole(&registry.value.parts(DEPTH)));
            let repository = in_registry(registry, repository);
            let digest = find(&named(&["digest", "sha", "imagedigest"]));
            let digest = digest.map_or_else(Vec::new, |digest| digest.value.parts(DEPTH));
            let Some(tag) = tag else {
                // Another document may say it, or nobody does.
                if !around.says_elsewhere("tag")
                    && !self.overridden.contains(&around.key("tag").path)
                {
                    let said = Said::apart(repository, Vec::new(), digest);
                    self.add(&entry.value, Some(said), &around.key(key));
                }
                continue;
            };
            let said = Said::apart(repository, tag.value.parts(DEPTH), digest);
            let tag_key = tag.key.clone().unwrap_or_default();
            self.add(&tag.value, Some(said), &around.key(&tag_key));
            taken.push(key.to_owned());
            taken.push(tag_key);
        }
        for entry in entries {
            let key = entry.key.as_deref().unwrap_or_default();
            if key != "tag" || taken.iter().any(|taken| taken == key) {
                continue;
            }
            if let Some(repository) = around.repository_elsewhere(within_image) {
                let said = Said::apart(repository, entry.value.parts(DEPTH), Vec::new());
                self.add(&entry.value, Some(said), &around.key(key));
                taken.push(key.to_owned());
            }
        }
        taken
    }
}

/// Both values of a condition that is not known.
fn branches<'a>(node: &Node<'a>) -> Vec<Node<'a>> {
    match node {
        Node::Hcl {
            scope,
            value,
            address,
        } => crate::walk::branches(scope, value)
            .into_iter()
            .map(|(value, branch)| scope.node(value, format!("{address}{branch}")))
            .collect(),
        node => vec![node.clone()],
    }
}

/// Whether a value is only the name of another.
fn is_name(node: &Node<'_>) -> bool {
    matches!(
        node,
        Node::Hcl {
            value: Expression::Traversal(_) | Expression::Variable(_),
            ..
        }
    )
}

fn is_list(node: &Node<'_>) -> bool {
    match node {
        Node::Hcl { value, .. } => match value {
            Expression::Array(_) => true,
            Expression::ForExpr(each) => each.key_expr.is_none(),
            Expression::FuncCall(call) => matches!(
                call.name.name.as_str(),
                "concat" | "flatten" | "values" | "toset" | "tolist" | "compact" | "distinct"
            ),
            _ => false,
        },
        Node::Yaml { doc, id, .. } => matches!(doc.item(*id), Some(Item::List(_))),
        Node::List(_) => true,
        Node::Body { .. } | Node::Config { .. } | Node::Parts(_) => false,
    }
}

/// The steps that a path of `--set` names.
pub(crate) fn segments(path: &str) -> Vec<Seg> {
    let mut found = Vec::new();
    for key in path.split('.') {
        let mut rest = key;
        let name = rest.split('[').next().unwrap_or_default();
        if !name.is_empty() {
            found.push(Seg::Key(name.to_owned()));
        }
        while let Some((_, after)) = rest.split_once('[') {
            let (index, next) = after.split_once(']').unwrap_or((after, ""));
            found.extend(index.parse().ok().map(Seg::Index));
            rest = next;
        }
    }
    found
}
