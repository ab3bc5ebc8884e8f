"""Beyond accuracy: calibration, and behaviour on unusual texts."""
