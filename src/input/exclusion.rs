//! What is left out: globs as `.gitignore` has them, each from its own directory.

use std::path::{Component, Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Globs of paths that are not read.
#[derive(Clone, Debug, Default)]
pub struct Exclusion {
    sets: Vec<Globs>,
}

/// Globs that start at one directory.
#[derive(Clone, Debug)]
struct Globs {
    directory: PathBuf,
    matcher: Gitignore,
}

impl Exclusion {
    /// Leaves out what `globs` match from `directory` on. Of several globs the last one that matches decides.
    ///
    /// # Errors
    /// A sentence that names the glob.
    pub fn add(&mut self, directory: &Path, globs: &[String]) -> Result<(), String> {
        if globs.is_empty() {
            return Ok(());
        }
        let mut builder = GitignoreBuilder::new(".");
        // Files of git forgive it; here somebody is there to mend it.
        builder.allow_unclosed_class(false);
        for glob in globs {
            if glob.trim().is_empty() || glob.starts_with('#') {
                return Err(format!("`{glob}` leaves nothing out; write `\\#` for a name that starts with `#`"));
            }
            builder.add_line(None, glob).map_err(|error| error.to_string())?;
        }
        let matcher = builder.build().map_err(|error| error.to_string())?;
        let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
        self.sets.push(Globs { directory: straight(&directory), matcher });
        Ok(())
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Whether a path is left out: by itself, or with a directory that it is in.
    pub fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let Ok(path) = std::path::absolute(path) else { return false };
        let path = straight(&path);
        self.sets.iter().any(|globs| globs.excludes(&path, is_directory))
    }
}

impl Globs {
    fn excludes(&self, path: &Path, is_directory: bool) -> bool {
        let below = match path.strip_prefix(&self.directory) {
            Ok(below) => below.to_owned(),
            // Elsewhere only globs that match at any depth can match.
            Err(_) => Path::new("..").join(path.strip_prefix("/").unwrap_or(path)),
        };
        let ways: Vec<&Path> = below.ancestors().filter(|way| !way.as_os_str().is_empty()).collect();
        // As git does: nothing can be taken back from below a directory that is left out.
        ways.iter()
            .enumerate()
            .rev()
            .any(|(index, way)| self.matcher.matched(way, index > 0 || is_directory).is_ignore())
    }
}

/// An absolute path without `..`.
fn straight(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                straight.pop();
            }
            other => straight.push(other),
        }
    }
    straight
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
    fn globs_mean_what_they_mean_to_git() {
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
    fn a_later_glob_takes_back_but_not_from_below_a_directory() {
        assert!(!excludes(&["*.yaml", "!keep.yaml"], "a/keep.yaml"));
        assert!(excludes(&["a/", "!keep.yaml"], "a/keep.yaml"));
    }

    #[test]
    fn paths_are_compared_however_they_are_written() {
        let here = std::env::current_dir().unwrap();
        let absolute = here.join("a/b.yaml");
        assert!(excludes(&["/a/b.yaml"], absolute.to_str().unwrap()));
        assert!(excludes(&["/a/b.yaml"], "c/../a/b.yaml"));
        assert!(excludes(&["b.yaml"], "../elsewhere/b.yaml"));
        assert!(!excludes(&["/elsewhere", "elsewhere/b.yaml"], "/elsewhere/b.yaml"));
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        let add = |glob: &str| Exclusion::default().add(Path::new("."), &[glob.to_owned()]).unwrap_err();
        assert_eq!(add("a["), "error parsing glob 'a[': unclosed character class; missing ']'");
        assert!(add("# a").contains("leaves nothing out") && add(" ").contains("leaves nothing out"));
    }
}
