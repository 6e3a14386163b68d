"""What is learnt from: examples, read from files or arrays, checked, split and scaled."""
