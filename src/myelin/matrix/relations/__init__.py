"""Relationships between events: what an event relates to, when that counts, and what is bundled with the parent.

Spec: "Forming relationships between events", event replacements, threading, reference relations, annotations.
"""

from myelin.matrix.relations.aggregations import (
    Bundle,
    ThreadSummary,
    bundle,
    latest_edit,
    reference_chunk,
    summarize_thread,
)
from myelin.matrix.relations.relation import (
    MAIN_TIMELINE,
    MAX_THREAD_HOPS,
    Relation,
    redaction_target,
    relation_of,
    thread_of,
    thread_root,
)
from myelin.matrix.relations.validity import annotation_identity, is_valid_edit, may_be_annotated, may_be_thread_root

__all__ = [
    "MAIN_TIMELINE",
    "MAX_THREAD_HOPS",
    "Bundle",
    "Relation",
    "ThreadSummary",
    "annotation_identity",
    "bundle",
    "is_valid_edit",
    "latest_edit",
    "may_be_annotated",
    "may_be_thread_root",
    "redaction_target",
    "reference_chunk",
    "relation_of",
    "summarize_thread",
    "thread_of",
    "thread_root",
]
