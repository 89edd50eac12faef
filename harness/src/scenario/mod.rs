//! The YAML file as typed values, or all of its errors at once.
