"""The rules about databases."""
