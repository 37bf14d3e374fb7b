"""The embedded models, as checkpoints of Hugging Face's form."""
