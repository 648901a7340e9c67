"""Checking a rule's CEL expression when the rule is saved: bounds, grammar, names, types, and that the engine runs it.

Pure. In this order, each part in its own module:

1. ``bounds``: length, characters, nesting and number of words, before any parser sees the text.
2. ``parsing``: the tree by cel-python's grammar, as a few plain nodes.
3. ``inferring``: variables and fields by ``schema``, functions and operators by ``functions``, types by ``types``;
   ``nulls`` knows which fields a test such as ``line.weight_g != null`` has made sure of.
4. The engine that runs rules compiles it.
"""

from app.campaigns.checking.expression import ExpressionFacts, check_expression
from app.campaigns.checking.faults import ExpressionFault, Remark

__all__ = ["ExpressionFacts", "ExpressionFault", "Remark", "check_expression"]
