"""The rules, group by group; the letter of a rule's id names its group."""
