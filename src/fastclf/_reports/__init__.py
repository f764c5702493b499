"""Tables and pages that tell what was measured, and on what."""
