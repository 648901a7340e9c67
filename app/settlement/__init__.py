"""Statements between merchants and the programme: who funded the points that were spent, and where."""
