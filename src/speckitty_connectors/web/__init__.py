"""The WSGI application for webhook and callback URLs."""
