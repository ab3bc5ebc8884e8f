"""What several recipes need: flags, run folders, reports, figures."""
