//! DIUN's webhook, as DIUN and as the bulk loop send it, and the few requests the lab makes.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What DIUN posts: all eleven keys, with a Go dump of the pod's status of 30 KB.
pub(super) fn native(image: &str, tag: &str, status: &str) -> Value {
    let first = image.split('/').next().unwrap_or_default();
    let domain = if first.contains('.') {
        ""
    } else {
        "docker.io/"
    };
    let condition = "{Type:Ready Status:True LastProbeTime:0001-01-01 00:00:00 +0000 UTC \
                     LastTransitionTime:2026-03-01 04:12:09 +0000 UTC Reason: Message:} ";
    json!({
        "diun_version": "4.31.0",
        "hostname": "diun-6f7c9d5b8-x2x9q",
        "status": status,
        "provider": "kubernetes",
        "image": format!("{domain}{image}:{tag}"),
        "hub_link": format!("https://hub.docker.com/r/{image}"),
        "mime_type": "application/vnd.oci.image.index.v1+json",
        "digest": digest(image, tag),
        "created": "2026-03-01T04:12:09.000000000Z",
        "platform": "linux/amd64",
        "metadata": {
            "pod_name": "app-0",
            "pod_namespace": "app",
            "pod_createdat": "2026-03-01 04:12:09 +0000 UTC",
            "ctn_name": "app",
            "ctn_command": "[/bin/app --serve]",
            "pod_status": format!("{{Phase:Running Conditions:[{}]}}", condition.repeat(190)),
        },
    })
}

/// What the bulk loop posts by hand.
pub(super) fn bulk(image: &str, tag: &str) -> Value {
    json!({
        "diun_entry_status": "update",
        "diun_entry_image": image,
        "diun_entry_imagetag": tag,
        "diun_entry_hublink": format!("https://hub.docker.com/r/{image}"),
    })
}

/// The same for the same tag, and different for others.
fn digest(image: &str, tag: &str) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (image, tag).hash(&mut hasher);
    format!("sha256:{}", format!("{:016x}", hasher.finish()).repeat(4))
}

/// One request on a connection of its own: the status and the body.
pub(super) async fn request(
    method: &str,
    address: std::net::SocketAddr,
    path: &str,
    body: &str,
) -> anyhow::Result<(u16, String)> {
    request_with(method, address, path, "", body).await
}

/// As [`request`], with more header lines, each with its line end.
pub(super) async fn request_with(
    method: &str,
    address: std::net::SocketAddr,
    path: &str,
    headers: &str,
    body: &str,
) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)
        .await
        .context("nobody listens")?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\
         User-Agent: diun/4.31.0 go/1.25 Linux\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    answer(stream).await
}

/// Sends a request, and returns once whoever answers it has begun to read its body.
pub(super) async fn begin(
    address: std::net::SocketAddr,
    path: &str,
    body: &str,
) -> anyhow::Result<TcpStream> {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut stream = TcpStream::connect(address)
        .await
        .context("nobody listens")?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    let mut found = vec![0; CONTINUE.len()];
    stream.read_exact(&mut found).await?;
    ensure!(
        found == CONTINUE,
        "not asked to go on, but told {}",
        String::from_utf8_lossy(&found)
    );
    stream.write_all(body.as_bytes()).await?;
    Ok(stream)
}

/// The status and the body of an answer.
pub(super) async fn answer(mut stream: TcpStream) -> anyhow::Result<(u16, String)> {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer has no head")?;
    let status = head
        .split(' ')
        .nth(1)
        .context("the answer has no status")?
        .parse()?;
    Ok((status, body.to_owned()))
}
