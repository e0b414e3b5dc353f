//! The proof: the program and its module from the outside, in one binary so that it links once.

mod module;
