//! Every image and chart reference of a tree, with what it belongs to.

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::container::Container;
use crate::declared::{Declarations, Declared, entries as json_entries};
use crate::eval::{Bound, DEPTH, Scope, World};
use crate::lifecycle::{Step, ignored_by};
use crate::node::{Entry, Node, Seg, is_name};
use crate::objects::{Around, Objects};
use crate::owner;
use crate::parts::{Part, whole};
use crate::reference::{Reference, Said, What, is_repository, reads_like_an_image};
use crate::settings::{encrypted, in_folder};
use crate::sources::Sources;

/// So many instances of one block are looked at.
const MAX_INSTANCES: usize = 200;

/// What a tree runs.
#[derive(Default)]
pub(crate) struct Walked {
    /// In the order of path and position.
    pub(crate) references: Vec<Reference>,
    /// The containers of blocks.
    pub(crate) containers: Vec<Container>,
    /// Encrypted files that could set variables, by the folder in which Terraform is run.
    pub(crate) encrypted: BTreeMap<String, Vec<String>>,
}

/// Walks through all folders in which Terraform is run, on as many threads as there are processors.
pub(crate) fn walk<'a>(sources: &'a Sources, declared: &'a Declarations<'a>) -> Walked {
    let world = World::new(sources, declared);
    let roots = world.roots();
    world.forget();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    // Small portions, so that a thread with a large folder has fewer of them.
    let size = roots.len().div_ceil(threads * 8).max(1);
    let portions: Vec<&[String]> = roots.chunks(size).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let world = World::new(sources, declared);
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(portion) = portions.get(at) else {
                break;
            };
            done.push((at, of_roots(&world, portion)));
        }
        world.forget();
        done
    };
    let mut done = if threads < 2 || roots.len() < 8 {
        work()
    } else {
        thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let joined = running.into_iter().map(|thread| match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.flatten().collect()
        })
    };
    done.sort_by_key(|(at, _)| *at);
    let mut all = Walked::default();
    for (_, walked) in done {
        all.references.extend(walked.references);
        all.containers.extend(walked.containers);
        all.encrypted.extend(walked.encrypted);
    }
    all.references.sort_by(|a, b| {
        (&a.path, a.line, &a.address, &a.root).cmp(&(&b.path, b.line, &b.address, &b.root))
    });
    all.references.dedup();
    all.containers.dedup();
    all
}

fn of_roots<'a>(world: &Rc<World<'a>>, roots: &[String]) -> Walked {
    let mut walked = Walked::default();
    let Walked {
        references: found,
        containers,
        ..
    } = &mut walked;
    for root in roots {
        let settings = world.settings(root);
        let mut variants: Vec<Option<&str>> = settings.variants().into_iter().map(Some).collect();
        if variants.is_empty() {
            variants.push(None);
        }
        for variant in variants {
            let scope = world.of_root(root, variant);
            module(&scope, found, containers, 0);
            if scope.folder().is_none() {
                inputs(world, root, found);
            }
        }
    }
    for reference in &walked.references {
        let root = &reference.root;
        walked.encrypted.entry(root.clone()).or_insert_with(|| {
            let files = encrypted(world, root).into_iter();
            files.map(str::to_owned).collect()
        });
    }
    walked
}

/// Whether a value is a plain one in which no document can be: most values of a tree are.
fn holds_nothing(value: &Expression) -> bool {
    match value {
        Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) => true,
        Expression::String(text) => !text.contains([':', '{', '\n']),
        _ => false,
    }
}

/// The images among the inputs for a module that is not in this tree.
fn inputs<'a>(world: &Rc<World<'a>>, root: &str, found: &mut Vec<Reference>) {
    let path = in_folder(root, "terragrunt.hcl");
    let Some(file) = world.file(&path) else {
        return;
    };
    let Some(inputs) = file.body.get_attribute("inputs") else {
        return;
    };
    let scope = world.of_terragrunt(file, root);
    let node = scope.node(&inputs.value, "inputs");
    let mut objects = Objects {
        found,
        root: root.to_owned(),
        overridden: Vec::new(),
    };
    objects.value(&node, &Around::inputs(&scope), false);
}

/// The references of one module and of those that it calls.
fn module<'a>(
    scope: &Scope<'a>,
    found: &mut Vec<Reference>,
    containers: &mut Vec<Container>,
    deep: usize,
) {
    let Some(folder) = scope.folder() else {
        return;
    };
    for resource in &folder.resources {
        for scope in instances(&scope.within(resource.file), *resource) {
            let mut walk = Walk {
                scope,
                owner: *resource,
                found,
                containers,
            };
            walk.resource();
        }
    }
    for data in folder
        .data
        .iter()
        .filter(|data| names_versions(data.label(0)))
    {
        for scope in instances(&scope.within(data.file), *data) {
            let mut walk = Walk {
                scope,
                owner: *data,
                found,
                containers,
            };
            walk.data();
        }
    }
    for call in &folder.calls {
        for scope in instances(&scope.within(call.file), *call) {
            match scope.entering(call) {
                Some(inner) if deep < 10 => module(&inner, found, containers, deep + 1),
                _ => {
                    let mut walk = Walk {
                        scope,
                        owner: *call,
                        found,
                        containers,
                    };
                    walk.call();
                }
            }
        }
    }
    for doc in &folder.json {
        for root in &doc.roots {
            let kinds = json_entries(doc, doc.get(*root, "resource"));
            for (kind, id) in kinds {
                for (name, id) in json_entries(doc, Some(id)) {
                    let node = Node::Yaml {
                        scope: scope.inside(&doc.text),
                        doc,
                        id,
                        address: format!("{kind}.{name}"),
                    };
                    let mut objects = Objects {
                        found,
                        root: scope.env.root.clone(),
                        overridden: Vec::new(),
                    };
                    if let Some(around) = Around::resource(kind, &node) {
                        objects.value(&node, &around, false);
                        if kind == "helm_release" {
                            objects.found.extend(chart_in_json(&node, &around));
                        }
                    }
                }
            }
        }
    }
}

/// The chart of a release that is written in JSON.
fn chart_in_json<'a>(release: &Node<'a>, around: &Around<'a>) -> Option<Reference> {
    let of = |key: &str| release.select(&[Seg::Key(key.to_owned())], DEPTH).ok();
    let version = of("version");
    let chart = whole(&of("chart")?.parts(DEPTH))?;
    let (path, line) = version.as_ref().unwrap_or(release).position()?;
    let parts = version
        .as_ref()
        .map_or_else(Vec::new, |version| version.parts(DEPTH));
    let address = version.as_ref().unwrap_or(release).address().to_owned();
    Some(Reference {
        what: What::Chart,
        path: path.to_owned(),
        line,
        numbered: address.clone(),
        address,
        expression: version.map(|version| version.shown()).unwrap_or_default(),
        owner: around.owner(&chart),
        said: Some(Said::apart(chart, parts, Vec::new())),
        ignored_by: None,
        root: around.scope.env.root.clone(),
    })
}

/// The scopes of a block's instances: one, or one for each element of `for_each`.
fn instances<'a>(scope: &Scope<'a>, declared: Declared<'a>) -> Vec<Scope<'a>> {
    let count = declared.body().get_attribute("count");
    let count = count.and_then(|count| scope.text(&count.value)?.parse::<usize>().ok());
    if let Some(count) = count {
        let numbered = |at: usize| {
            let index = Node::Parts(vec![Part::plain(at.to_string())]);
            let bound = Bound::Each {
                key: index.clone(),
                value: index,
            };
            scope.binding(vec![("count".to_owned(), bound)])
        };
        // What is switched off may be switched on.
        return (0..count.clamp(1, MAX_INSTANCES)).map(numbered).collect();
    }
    let elements = declared
        .body()
        .get_attribute("for_each")
        .and_then(|each| scope.node(&each.value, "").entries(DEPTH));
    each(scope, "each", elements)
}

/// The scope with a name for each element; once without if they are not known.
fn each<'a>(scope: &Scope<'a>, name: &str, elements: Option<Vec<Entry<'a>>>) -> Vec<Scope<'a>> {
    let Some(elements) = elements else {
        return vec![scope.clone()];
    };
    let bound = |entry: Entry<'a>| {
        let key = match entry.key {
            Some(key) => Part::plain(key),
            None => Part::unknown(format!("{name}.key")),
        };
        let bound = Bound::Each {
            key: Node::Parts(vec![key]),
            value: entry.value,
        };
        scope.binding(vec![(name.to_owned(), bound)])
    };
    elements
        .into_iter()
        .take(MAX_INSTANCES)
        .map(bound)
        .collect()
}

/// The scopes of a `dynamic` block's iterations.
pub(crate) fn iterations<'a>(scope: &Scope<'a>, block: &'a Block) -> Vec<Scope<'a>> {
    let name = match block.body.get_attribute("iterator") {
        Some(own) => scope.shown(&own.value),
        None => block
            .labels
            .first()
            .map_or("", |label| label.as_str())
            .to_owned(),
    };
    let elements = block
        .body
        .get_attribute("for_each")
        .and_then(|each| scope.node(&each.value, "").entries(DEPTH));
    each(scope, &name, elements)
}

/// Whether a data source names versions of what is run.
fn names_versions(kind: &str) -> bool {
    matches!(kind, "helm_template" | "docker_registry_image") || kind.starts_with("talos_")
}

/// Resources whose image is that of a machine, which no registry of containers has.
const MACHINES: [&str; 15] = [
    "hcloud_",
    "digitalocean_droplet",
    "google_compute_",
    "aws_instance",
    "openstack_",
    "proxmox_",
    "lxd_",
    "incus_",
    "libvirt_",
    "scaleway_instance",
    "vultr_",
    "linode_",
    "oci_core",
    "yandex_compute",
    "exoscale_",
];

/// Whether what a block of this type says about images is nothing that runs.
fn is_mere_data(kind: &str) -> bool {
    [
        "kubernetes_config_map",
        "kubernetes_secret",
        "local_file",
        "local_sensitive_file",
        "vault_",
    ]
    .iter()
    .any(|prefix| kind.starts_with(prefix))
}

/// How a block is reached.
#[derive(Clone)]
struct Here {
    address: String,
    numbered: String,
    steps: Vec<Step>,
}

impl Here {
    fn of(root: String) -> Here {
        Here {
            numbered: root.clone(),
            address: root,
            steps: Vec::new(),
        }
    }

    fn attribute(&self, name: &str) -> Here {
        let mut steps = self.steps.clone();
        steps.push(Step {
            name: name.to_owned(),
            position: None,
        });
        Here {
            address: format!("{}.{name}", self.address),
            numbered: format!("{}.{name}", self.numbered),
            steps,
        }
    }
}

struct Walk<'a, 'f> {
    scope: Scope<'a>,
    owner: Declared<'a>,
    found: &'f mut Vec<Reference>,
    containers: &'f mut Vec<Container>,
}

impl<'a> Walk<'a, '_> {
    /// A data source that renders or looks up what is run elsewhere.
    fn data(&mut self) {
        let kind = self.owner.label(0);
        let here = Here::of(format!("data.{kind}.{}", self.owner.label(1)));
        if kind == "helm_template" {
            self.release(&here);
            return;
        }
        let scope = self.scope.clone();
        self.body(&scope, self.owner.body(), None, &here);
    }

    fn resource(&mut self) {
        let kind = self.owner.label(0);
        if is_mere_data(kind) {
            return;
        }
        let here = Here::of(format!("{kind}.{}", self.owner.label(1)));
        if kind == "helm_release" {
            self.release(&here);
            return;
        }
        let scope = self.scope.clone();
        self.body(&scope, self.owner.body(), None, &here);
    }

    /// A call of a module that is not in this tree: what its arguments say is what is known.
    fn call(&mut self) {
        let here = Here::of(format!("module.{}", self.owner.label(0)));
        let scope = self.scope.clone();
        self.body(&scope, self.owner.body(), None, &here);
        let mut pairs = Vec::new();
        for attribute in self.owner.body().attributes() {
            let name = attribute.key.as_str();
            let address = format!("{}.{name}", here.address);
            pairs.push(Entry {
                key: Some(name.to_owned()),
                value: scope.node(&attribute.value, address),
            });
        }
        let around = self.around(&here, None);
        let mut objects = self.objects();
        objects.pairs(&pairs, &around);
        objects.chart(&pairs, &around);
    }

    fn objects(&mut self) -> Objects<'_> {
        Objects {
            root: self.scope.env.root.clone(),
            overridden: Vec::new(),
            found: self.found,
        }
    }

    fn around(&self, here: &Here, container: Option<&'a Body>) -> Around<'a> {
        Around::block(
            self.owner,
            self.scope.clone(),
            container,
            here.steps.clone(),
        )
    }

    /// A chart, and the images that its values name.
    fn release(&mut self, here: &Here) {
        let (scope, body) = (self.scope.clone(), self.owner.body());
        let at = here.attribute("version");
        let owner = owner::release(&scope, body);
        let chart = scope.text_at(body, &["chart"]);
        let version = body.get_attribute("version");
        let parts =
            version.map(|version| scope.node(&version.value, at.address.clone()).parts(DEPTH));
        let line = match version {
            Some(version) => scope
                .text
                .line(version.value.span().unwrap_or_default().start),
            None => self.owner.line(),
        };
        self.found.push(Reference {
            what: What::Chart,
            path: scope.text.path.clone(),
            line,
            expression: version
                .map(|version| scope.shown(&version.value))
                .unwrap_or_default(),
            said: chart.map(|chart| Said::apart(chart, parts.unwrap_or_default(), Vec::new())),
            owner,
            ignored_by: ignored_by(&scope, body, &at.steps),
            root: scope.env.root.clone(),
            address: at.address,
            numbered: at.numbered,
        });
        let around = self.around(here, None);
        crate::release::images(&scope, body, &here.address, &around, self.found);
    }

    fn body(
        &mut self,
        scope: &Scope<'a>,
        body: &'a Body,
        container: Option<&'a Body>,
        here: &Here,
    ) {
        for attribute in body.attributes() {
            let name = attribute.key.as_str();
            let image = crate::objects::names_an_image(name) || self.is_docker_name(name);
            let followed = crate::objects::follows(name);
            if !image && !followed && holds_nothing(&attribute.value) {
                continue;
            }
            let at = here.attribute(name);
            if image {
                for (value, branch) in branches(scope, &attribute.value) {
                    let node = scope.node(value, format!("{}{branch}", at.address));
                    self.image(name, &node, container, &at);
                }
            }
            let node = scope.node(&attribute.value, at.address.clone());
            let mut around = self.around(&at, container);
            around.scope = scope.clone();
            self.objects().value(&node, &around, followed);
        }
        // The source of an application of Argo CD, and its like.
        if body.has_attribute("chart") && container.is_some() {
            let pairs: Vec<Entry<'a>> = body
                .attributes()
                .map(|attribute| {
                    let name = attribute.key.as_str();
                    let address = here.attribute(name).address;
                    Entry {
                        key: Some(name.to_owned()),
                        value: scope.node(&attribute.value, address),
                    }
                })
                .collect();
            let around = self.around(here, container);
            self.objects().chart(&pairs, &around);
        }
        for block in body.blocks() {
            let below = below(body, block, here);
            if !block.has_ident("dynamic") {
                self.body(scope, &block.body, Some(&block.body), &below);
                continue;
            }
            // A `dynamic` block's own body is that of its `content`.
            let Some(content) = block.body.get_blocks("content").next() else {
                continue;
            };
            for scope in iterations(scope, block) {
                self.body(&scope, &content.body, Some(&content.body), &below);
            }
        }
    }

    /// `docker_image` calls its image a name.
    fn is_docker_name(&self, attribute: &str) -> bool {
        attribute == "name"
            && match self.owner.label(0) {
                "docker_image" => !self.owner.body().has_blocks("build"),
                "docker_registry_image" => self.owner.block.has_ident("data"),
                _ => false,
            }
    }

    fn image(&mut self, name: &str, node: &Node<'a>, container: Option<&'a Body>, at: &Here) {
        let parts = node.parts(DEPTH);
        let machine = MACHINES
            .iter()
            .any(|prefix| self.owner.label(0).starts_with(prefix));
        if machine || (name != "image" && !reads_like_an_image(&parts)) {
            return;
        }
        let said = Said::of_image(&parts);
        let plain = whole(&parts).is_some_and(|text| is_repository(&text));
        if said.is_none() && (plain || whole(&parts).is_some()) {
            // A pattern, or an image of another kind.
            return;
        }
        let around = self.around(at, container);
        let repository = said.as_ref().map_or("", |said| said.repository.as_str());
        let held_by = at
            .steps
            .iter()
            .rev()
            .nth(1)
            .map_or("", |step| step.name.as_str());
        if let Some(body) = container.filter(|_| is_container(held_by)) {
            let address = at.address.strip_suffix(".image").unwrap_or(&at.address);
            let init = held_by == "init_container";
            let image = version::normalise(repository);
            self.containers
                .extend(Container::read(&self.scope, body, address, init, image));
        }
        let owner = around.owner(repository);
        let (path, line) = node.position().unwrap_or_default();
        self.found.push(Reference {
            what: What::Image,
            path: path.to_owned(),
            line,
            address: node.address().to_owned(),
            numbered: at.numbered.clone(),
            expression: node.shown(),
            said,
            owner,
            ignored_by: ignored_by(&self.scope, self.owner.body(), &at.steps),
            root: self.scope.env.root.clone(),
        });
    }
}

/// The values that an expression may have: both of a condition that is not known, with what tells
/// their places apart.
pub(crate) fn branches<'a>(
    scope: &Scope<'a>,
    value: &'a Expression,
) -> Vec<(&'a Expression, String)> {
    match value {
        Expression::Parenthesis(inner) => branches(scope, inner.inner()),
        Expression::Conditional(both) if scope.truth(&both.cond_expr, DEPTH).is_none() => {
            let named = |name: &'static str, value: &'a Expression| {
                let inner = branches(scope, value).into_iter();
                inner.map(move |(value, rest)| (value, format!("[{name}]{rest}")))
            };
            named("true", &both.true_expr)
                .chain(named("false", &both.false_expr))
                .collect()
        }
        value => vec![(value, String::new())],
    }
}

fn below(body: &Body, block: &Block, here: &Here) -> Here {
    let dynamic = block.has_ident("dynamic");
    let name = match dynamic {
        true => block.labels.first().map_or("", |label| label.as_str()),
        false => block.ident.as_str(),
    };
    let same =
        |other: &&Block| other.has_ident(block.ident.as_str()) && other.labels == block.labels;
    let alike: Vec<&Block> = body.blocks().filter(same).collect();
    let position = alike
        .iter()
        .position(|other| std::ptr::eq(*other, block))
        .unwrap_or(0);
    let written = if dynamic {
        format!("dynamic.{name}")
    } else {
        name.to_owned()
    };
    let numbered = match is_container(name) || alike.len() > 1 {
        true => format!("{written}[{position}]"),
        false => written.clone(),
    };
    // A container's name survives when another container is added above it.
    let own = is_container(name).then(|| literal_name(block)).flatten();
    let unique = |own: &&str| {
        let mut same = alike
            .iter()
            .filter(|other| literal_name(other) == Some(own));
        same.next().is_some() && same.next().is_none()
    };
    let named = match own.filter(unique) {
        Some(own) => format!("{written}[{own}]"),
        None => numbered.clone(),
    };
    let mut steps = here.steps.clone();
    steps.push(Step {
        name: name.to_owned(),
        position: (!dynamic).then_some(position),
    });
    Here {
        address: format!("{}.{named}", here.address),
        numbered: format!("{}.{numbered}", here.numbered),
        steps,
    }
}

/// Whether blocks of this name are containers of a pod.
pub(crate) fn is_container(name: &str) -> bool {
    matches!(name, "container" | "init_container")
}

fn literal_name(block: &Block) -> Option<&str> {
    let name = block.body.get_attribute("name")?.value.as_str()?;
    is_name(name).then_some(name)
}
