"""A provider with every misbehaviour behind a switch of its own: what proves that the suite notices.

Nothing here is for a host. `catalogue.SWITCHES` has the misbehaviours by the rule that has to notice them.
"""
