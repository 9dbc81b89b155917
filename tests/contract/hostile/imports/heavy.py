"""Brings a database with it when it is imported."""

import sqlalchemy

NAME = sqlalchemy.__name__
