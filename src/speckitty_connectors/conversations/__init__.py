"""The steps of a browser's conversation, for installing and linking alike."""
