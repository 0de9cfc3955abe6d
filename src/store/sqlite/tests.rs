//! What only this engine can be asked.
