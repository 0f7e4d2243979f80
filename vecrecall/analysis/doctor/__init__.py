"""The doctor: an index that somebody built, examined, and what to do about it; `examining.doctor` is the way in."""
