//! What the CLI reads on its standard input: the prompt as it is, or one message in JSON when there are pictures.
//!
//! Pictures that are too long to be shown are left to the CLI's own tool for reading files; the prompt names them.

use serde_json::{Value, json};

use crate::runtime::Brief;
use crate::runtime::attachment::Picture;

/// Whether the prompt comes with pictures, so that the CLI must be told the form of its input.
pub(super) fn has_pictures(brief: &Brief) -> bool {
    pictures(brief).next().is_some()
}

/// The whole input.
pub(super) fn stdin(brief: &Brief) -> Vec<u8> {
    let mut content: Vec<Value> = pictures(brief).map(|picture| picture.to_block()).collect();
    if content.is_empty() {
        return brief.prompt.clone().into_bytes();
    }
    content.push(json!({"type": "text", "text": brief.prompt}));
    let message = json!({"type": "user", "message": {"role": "user", "content": content}});
    format!("{message}\n").into_bytes()
}

/// A session that goes on has seen them already.
fn pictures(brief: &Brief) -> impl Iterator<Item = Picture> {
    let fresh = brief.session.is_none();
    let files = brief.attachments.iter().filter(move |_| fresh);
    files.filter_map(|path| Picture::read(path).ok().flatten())
}
