"""The torch engine: networks that users bring as modules. The only room that imports torch."""
