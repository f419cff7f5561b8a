"""What is measured. Each module has `measure(effort) -> Samples` and runs in a fresh process of its own."""
