//! How long a large tree takes, as a ratio to parsing its files alone; `cargo xtask bench terraform`.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use terraform::{Index, MemTree, Options, Wanted};

const STACKS: usize = 200;
const FILES: usize = 400;
const LINES: usize = 90_000;
const VALUES_BYTES: usize = 2_400_000;
const ROUNDS: usize = 5;

fn main() {
    let tree = MemTree(tree());
    let bytes: usize = tree.0.values().map(Vec::len).sum();
    let lines: usize = terraform_files(&tree)
        .map(|text| text.lines().count())
        .sum();
    let files = terraform_files(&tree).count();
    println!(
        "tree: {files} .tf files of {lines} lines, {} bytes in all",
        bytes
    );

    let before = resident();
    let index = Index::of(&tree);
    let (held, peak) = (resident(), peak());
    println!(
        "memory: {:.1} times the tree's bytes at most while it is read, {:.1} times held",
        ratio(peak.saturating_sub(before), bytes),
        ratio(held.saturating_sub(before), bytes),
    );
    drop(index);

    // In turns, so that both see the same machine.
    let (mut alone, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(timed(|| {
            for text in terraform_files(&tree) {
                let _parsed = black_box(hcl_edit::parser::parse_body(text));
            }
        }));
        whole.push(timed(|| {
            black_box(Index::of(&tree));
        }));
    }
    let (alone, whole) = (median(alone), median(whole));
    println!("parsing the .tf files with hcl-edit on one thread: {alone:.0?}");
    println!(
        "cold index, values file included: {whole:.0?}, {:.2} times that",
        whole.as_secs_f64() / alone.as_secs_f64()
    );

    let index = Index::of(&tree);
    let wanted = Wanted::Image {
        repository: "ghcr.io/acme/app-77".to_owned(),
        tag: "1.3.0".to_owned(),
        digest: None,
    };
    let options = Options::default();
    let found = index.find(&options, &wanted);
    println!(
        "one plan: {} sites, {} refused",
        found.sites.len(),
        found.refused.len()
    );
    let plans = 200;
    let all = timed(|| {
        for _ in 0..plans {
            black_box(index.find(&options, &wanted));
        }
    });
    println!("one plan on a warm index: {:.0?}", all / plans);
    println!("references: {}", index.scan(&options).len());
}

fn terraform_files(tree: &MemTree) -> impl Iterator<Item = &str> {
    let files = tree.0.iter().filter(|(path, _)| path.ends_with(".tf"));
    files.filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok())
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a ratio is shown with one digit"
)]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn of_status(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1_024
}

fn resident() -> usize {
    of_status("VmRSS:")
}

fn peak() -> usize {
    of_status("VmHWM:")
}

/// Stacks as people keep them: workloads of many lines, variables, an ingress module, a chart with
/// a very large values file.
fn tree() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let per_file = LINES / FILES;
    for stack in 0..STACKS {
        let mut main = format!(
            "variable \"tag\" {{\n  default = \"1.2.{stack}\"\n}}\n\n\
             resource \"kubernetes_namespace\" \"this\" {{\n  metadata {{\n    name = \"app-{stack}\"\n  }}\n}}\n\n"
        );
        let mut more = String::from("locals {\n  labels = {\n    tier = \"app\"\n  }\n}\n\n");
        let mut workload = 0;
        while main.lines().count() < per_file {
            deployment(&mut main, stack, workload);
            workload += 1;
        }
        while more.lines().count() < per_file {
            service(&mut more, stack, workload);
            workload += 1;
        }
        files.insert(format!("stacks/app-{stack}/main.tf"), main.into_bytes());
        files.insert(format!("stacks/app-{stack}/service.tf"), more.into_bytes());
    }
    let chart = "resource \"helm_release\" \"monitoring\" {\n  name = \"monitoring\"\n  \
                 chart = \"stack\"\n  version = \"1.2.3\"\n  \
                 values = [templatefile(\"${path.module}/values.yaml\", { tag = var.tag })]\n}\n";
    if let Some(main) = files.get_mut("stacks/app-0/main.tf") {
        main.extend_from_slice(chart.as_bytes());
    }
    files.insert("stacks/app-0/values.yaml".to_owned(), values().into_bytes());
    files
}

fn deployment(text: &mut String, stack: usize, workload: usize) {
    let _ = write!(
        text,
        r#"# The part {workload} of app {stack}, größer als der Rest.
# What the operator of this part has to know before touching it: it keeps its state on a volume of its own, it is restarted by hand after its database was moved, it does not like a second replica, and whoever raises its limits should look at the node first, because the neighbours are large as well.
# What the operator of this part has to know before touching it: it keeps its state on a volume of its own, it is restarted by hand after its database was moved, it does not like a second replica, and whoever raises its limits should look at the node first, because the neighbours are large as well.
resource "kubernetes_deployment" "part_{workload}" {{
  metadata {{
    name      = "part-{workload}"
    namespace = kubernetes_namespace.this.metadata[0].name
    labels    = merge(local.labels, {{ app = "part-{workload}" }})
  }}
  spec {{
    replicas = 1
    selector {{
      match_labels = {{
        app = "part-{workload}"
      }}
    }}
    template {{
      metadata {{
        labels = {{
          app = "part-{workload}"
        }}
      }}
      spec {{
        container {{
          name  = "part-{workload}"
          image = "ghcr.io/acme/app-{stack}:${{var.tag}}" # moves with the variable
          # What this setting is good for, and why it has just this value, in the words of whoever set it one day.
          env {{
            name  = "SETTING_{workload}"
            value = "a value that is about as long as the values of settings are, and of some of them longer, {workload}"
          }}
          port {{
            container_port = 8080 # the port on which the part of the application listens, as its documentation has it
          }}
          resources {{
            limits = {{
              memory = "512Mi"
            }}
          }}
        }}
      }}
    }}
  }}
}}

"#
    );
}

fn service(text: &mut String, stack: usize, workload: usize) {
    let _ = write!(
        text,
        r#"# What the operator of this part has to know before touching it: it keeps its state on a volume of its own, it is restarted by hand after its database was moved, it does not like a second replica, and whoever raises its limits should look at the node first, because the neighbours are large as well.
resource "kubernetes_service" "part_{workload}" {{
  metadata {{
    name      = "part-{workload}"
    namespace = "app-{stack}"
  }}
  spec {{
    selector = {{
      app = "part-{workload}"
    }}
    port {{
      port        = 80   # what others ask for within the cluster, without naming a port at all
      target_port = 8080 # what the part of the application listens on, as its documentation has it
    }}
  }}
}}

"#
    );
}

/// Dashboards make a values file large; here and there a section names an image.
fn values() -> String {
    let mut text = String::from(
        "# One very large values file.\nimage:\n  repository: acme/stack\n  tag: ${tag}\n",
    );
    let mut n = 0;
    while text.len() < VALUES_BYTES {
        let _ = write!(
            text,
            "dashboard{n}:\n  enabled: true\n  json: |\n    {{\n      \"title\": \"Dashboard {n}\",\n"
        );
        for panel in 0..40 {
            let _ = writeln!(
                text,
                "      \"panel{panel}\": \"sum(rate(container_cpu_usage_seconds_total[5m])) by (pod)\","
            );
        }
        text.push_str("      \"last\": true\n    }\n");
        if n % 10 == 0 {
            let _ = write!(
                text,
                "exporter{n}:\n  image:\n    repository: acme/exporter-{n}\n    tag: 1.0.{n}\n"
            );
        }
        n += 1;
    }
    text
}
