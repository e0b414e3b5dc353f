//! Excluded paths: globs with the syntax of `.gitignore`, each relative to a directory.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::input_name::normalize;
use crate::linter::PathFilter;

/// The globs of excluded paths.
#[derive(Clone, Debug, Default)]
pub struct Exclusion {
    sets: Vec<Globs>,
}

/// Globs relative to one directory.
#[derive(Clone, Debug)]
struct Globs {
    directory: PathBuf,
    matcher: Gitignore,
}

impl Exclusion {
    /// Adds globs relative to `directory`. If several globs match a path, the last one decides.
    ///
    /// # Errors
    /// A message that quotes the invalid glob.
    pub fn add(&mut self, directory: &Path, globs: &[String]) -> Result<(), String> {
        if globs.is_empty() {
            return Ok(());
        }
        let mut builder = GitignoreBuilder::new(".");
        // Git ignores this mistake; here it is an error.
        builder.allow_unclosed_class(false);
        for glob in globs {
            if glob.trim().is_empty() || glob.starts_with('#') {
                return Err(format!("`{glob}` excludes nothing; write `\\#` for a name that starts with `#`"));
            }
            builder.add_line(None, glob).map_err(|error| error.to_string())?;
        }
        let matcher = builder.build().map_err(|error| error.to_string())?;
        let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
        self.sets.push(Globs { directory: normalize(&directory), matcher });
        Ok(())
    }

    /// Whether there are no globs.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Whether a path, or one of its parent directories, is excluded.
    pub fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let Ok(path) = std::path::absolute(path) else { return false };
        let path = normalize(&path);
        self.sets.iter().any(|globs| globs.excludes(&path, is_directory))
    }
}

impl PathFilter for Exclusion {
    fn selects(&self, path: &Path) -> bool {
        self.excludes(path, false)
    }
}

impl Globs {
    fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        let below = match path.strip_prefix(&self.directory) {
            Ok(below) => below.to_owned(),
            // Outside of the directory, only globs that match at any depth can match.
            Err(_) => Path::new("..").join(path.strip_prefix("/").unwrap_or(path)),
        };
        let paths: Vec<&Path> = below.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        // As in git, a path below an excluded directory cannot be included again.
        paths
            .iter()
            .enumerate()
            .rev()
            .any(|(index, path)| self.matcher.matched(path, index > 0 || is_directory).is_ignore())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excludes(globs: &[&str], path: &str) -> bool {
        let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
        let mut exclusion = Exclusion::default();
        exclusion.add(Path::new("."), &globs).unwrap();
        exclusion.excludes(Path::new(path), false)
    }

    #[test]
    fn globs_match_as_in_git() {
        for (glob, path, is_out) in [
            ("*.json", "a/b.json", true),
            ("*.json", "a/b.yaml", false),
            ("vendor", "a/vendor/b.yaml", true),
            ("vendor/", "vendor", false),
            ("/vendor", "a/vendor/b.yaml", false),
            ("a/vendor", "./a/vendor/b.yaml", true),
            ("a/**/c.yaml", "a/b/b/c.yaml", true),
            ("a/*.yaml", "a/b/c.yaml", false),
            ("\\#a.yaml", "#a.yaml", true),
        ] {
            assert_eq!(excludes(&[glob], path), is_out, "{glob} {path}");
        }
    }

    #[test]
    fn a_later_glob_includes_a_file_again_but_not_below_an_excluded_directory() {
        assert!(!excludes(&["*.yaml", "!keep.yaml"], "a/keep.yaml"));
        assert!(excludes(&["a/", "!keep.yaml"], "a/keep.yaml"));
    }

    #[test]
    fn absolute_and_relative_paths_match_alike() {
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("a/b.yaml");
        assert!(excludes(&["/a/b.yaml"], absolute.to_str().unwrap()));
        assert!(excludes(&["/a/b.yaml"], "c/../a/b.yaml"));
        assert!(excludes(&["b.yaml"], "../elsewhere/b.yaml"));
        assert!(!excludes(&["/elsewhere", "elsewhere/b.yaml"], "/elsewhere/b.yaml"));
    }

    #[test]
    fn invalid_globs_are_rejected() {
        let add = |glob: &str| Exclusion::default().add(Path::new("."), &[glob.to_owned()]).unwrap_err();
        assert_eq!(add("a["), "error parsing glob 'a[': unclosed character class; missing ']'");
        assert!(add("# a").contains("excludes nothing") && add(" ").contains("excludes nothing"));
    }
}
