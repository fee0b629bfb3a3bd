"""From SBD and VOC: one list of both, no validation image among them."""
