"""The kinds of layer, one per file: each defines its computation, its weights and its nodes."""
