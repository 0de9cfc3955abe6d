//! The prompt as the protocol's content blocks: the text, then the task's files.
//!
//! A picture goes along as bytes where the agent takes pictures; every other file is a link, which every agent takes.

use std::path::{Path, PathBuf};

use agent_client_protocol::v1::schema::{ContentBlock, ImageContent, ResourceLink, TextContent};

use crate::runtime::attachment::Picture;

/// The blocks of a prompt.
pub fn blocks(text: &str, attachments: &[PathBuf], takes_pictures: bool) -> Vec<ContentBlock> {
    let text = ContentBlock::Text(TextContent::new(text));
    let files = attachments.iter().map(|path| {
        let picture = takes_pictures.then(|| picture(path)).flatten();
        picture.unwrap_or_else(|| link(path))
    });
    std::iter::once(text).chain(files).collect()
}

/// One that is too long or cannot be read is linked: the agent may do better with it.
fn picture(path: &Path) -> Option<ContentBlock> {
    let picture = Picture::read(path).ok()??;
    Some(ContentBlock::Image(ImageContent::new(
        picture.base64,
        picture.media_type,
    )))
}

fn link(path: &Path) -> ContentBlock {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    let uri = match reqwest::Url::from_file_path(path) {
        Ok(url) => url.to_string(),
        Err(()) => path.to_string_lossy().into_owned(),
    };
    ContentBlock::ResourceLink(ResourceLink::new(name, uri))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_sent_where_they_are_taken_and_all_else_is_linked() {
        let folder = tempfile::tempdir().unwrap();
        let (shot, notes) = (folder.path().join("a shot"), folder.path().join("notes.txt"));
        std::fs::write(&shot, b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::write(&notes, b"text").unwrap();
        let files = [shot.clone(), notes, folder.path().join("gone.png")];
        let kinds = |takes| -> Vec<String> {
            let value = serde_json::to_value(blocks("go", &files, takes)).unwrap();
            let kind = |block: &serde_json::Value| block["type"].as_str().unwrap().to_owned();
            value.as_array().unwrap().iter().map(kind).collect()
        };
        assert_eq!(kinds(true), ["text", "image", "resource_link", "resource_link"]);
        assert_eq!(
            kinds(false),
            ["text", "resource_link", "resource_link", "resource_link"]
        );
        let sent = serde_json::to_value(blocks("go", &files[..1], true)).unwrap();
        assert_eq!(
            (&sent[1]["data"], &sent[1]["mimeType"]),
            (&"iVBORw0KGgo=".into(), &"image/png".into())
        );
        let linked = serde_json::to_value(blocks("go", &files[..1], false)).unwrap();
        assert!(linked[1]["uri"].as_str().unwrap().starts_with("file:///"));
        assert!(linked[1]["uri"].as_str().unwrap().ends_with("/a%20shot"));
    }
}
