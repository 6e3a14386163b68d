"""The kinds of layer, one per file: each says how it computes, and what its weights and nodes are."""
