//! A request as the script sees it, whatever the protocol.

/// What a request says of its conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The model's name.
    pub model: String,
    /// The system prompt and the first user message.
    pub opening: String,
    /// How often the model has answered already.
    pub turns: usize,
    /// Whether the answer is to be streamed.
    pub streams: bool,
    /// The names of the tools that the client declares; one of a namespace as `NAMESPACE__TOOL`.
    pub tools: Vec<String>,
    /// The namespaces that it declares; a call there names tool and namespace apart.
    pub namespaces: Vec<String>,
}
