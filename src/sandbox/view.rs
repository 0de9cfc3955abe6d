//! What of the machine a worker needs to see: the system's programs, the toolchains of the person's home, and the
//! worker's own program. An allow-list: what nobody thought of stays hidden.

use std::path::{Path, PathBuf};

/// Folders of the system that hold programs and no secrets.
const SYSTEM: [&str; 5] = [
    "/usr",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/home/linuxbrew/.linuxbrew",
];

/// Names at the root that are links into /usr on most systems and folders on others.
const ROOTS: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];

/// What of /etc programs look at. No password hashes, no keys, no service's configuration.
const ETC: [&str; 47] = [
    "alternatives",
    "bash.bashrc",
    "bash_completion.d",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "default/locale",
    "dotnet",
    "environment",
    "fonts",
    "gai.conf",
    "host.conf",
    "hostname",
    "hosts",
    "inputrc",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "locale.conf",
    "locale.gen",
    "localtime",
    "login.defs",
    "lsb-release",
    "magic",
    "mime.types",
    "networks",
    "nsswitch.conf",
    "openldap/ldap.conf",
    "os-release",
    "perl",
    "pki/ca-trust",
    "pki/tls/certs",
    "profile",
    "profile.d",
    "protocols",
    "python3",
    "redhat-release",
    "services",
    "shells",
    "ssl/certs",
    "ssl/openssl.cnf",
    "timezone",
];

/// Toolchains in a home folder. None of them holds a login.
const TOOLCHAINS: [&str; 35] = [
    ".asdf",
    ".bun/bin",
    ".bun/install/global",
    ".cargo/bin",
    ".cargo/env",
    ".deno/bin",
    ".dotnet",
    ".elan",
    ".fnm",
    ".ghcup/bin",
    ".ghcup/ghc",
    ".jenv",
    ".juliaup",
    ".local/bin",
    ".local/lib",
    ".local/pipx/venvs",
    ".local/share/claude",
    ".local/share/fnm",
    ".local/share/mise/installs",
    ".local/share/pipx/venvs",
    ".local/share/pnpm",
    ".local/share/uv/python",
    ".local/share/uv/tools",
    ".local/state/fnm_multishells",
    ".npm-global",
    ".nvm",
    ".opencode/bin",
    ".phpenv",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman/candidates",
    ".volta/bin",
    ".volta/tools",
    "go/bin",
];

/// Secrets that a home folder usually holds: hidden also where somebody lets the whole folder be read.
const SECRETS: [&str; 30] = [
    ".aws",
    ".azure",
    ".bash_history",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".claude",
    ".claude.json",
    ".codex",
    ".config/gcloud",
    ".config/gh",
    ".config/git/credentials",
    ".config/opencode",
    ".docker",
    ".gem/credentials",
    ".gemini",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".local/share/keyrings",
    ".local/share/opencode",
    ".local/share/uv/credentials",
    ".mozilla",
    ".netrc",
    ".npmrc",
    ".password-store",
    ".pgpass",
    ".pypirc",
    ".ssh",
    ".terraform.d",
    ".zsh_history",
];

/// Programs that run another file, so that the worker's own program is what they are given first.
const INTERPRETERS: [&str; 9] = [
    "sh", "bash", "dash", "zsh", "node", "bun", "deno", "python3", "python",
];

/// The system's own paths that are there: links (with their targets) and what is to be read.
pub fn system() -> (Vec<(PathBuf, PathBuf)>, Vec<PathBuf>) {
    let (mut links, mut read) = (Vec::new(), Vec::new());
    for root in ROOTS.map(PathBuf::from) {
        match std::fs::read_link(&root) {
            Ok(target) => links.push((root, target)),
            Err(_) => read.push(root),
        }
    }
    read.extend(SYSTEM.map(PathBuf::from));
    read.extend(ETC.iter().map(|name| Path::new("/etc").join(name)));
    read.retain(|path| path.exists());
    (links, read)
}

/// The toolchains that are there in a home folder.
pub fn toolchains(home: &Path) -> Vec<PathBuf> {
    let found = TOOLCHAINS.iter().map(|name| home.join(name));
    found.filter(|path| path.exists()).collect()
}

/// The usual secrets of a home folder, there or not.
pub fn secrets(home: &Path) -> Vec<PathBuf> {
    SECRETS.iter().map(|name| home.join(name)).collect()
}

/// What must be seen for a command to run: its program, and the script that an interpreter is given.
///
/// `find` looks a name up as the worker will. Only what is not seen anyway needs to be added to a cell.
pub fn program(
    argv: &[std::ffi::OsString],
    home: &Path,
    find: impl Fn(&Path) -> Option<PathBuf>,
) -> Vec<PathBuf> {
    let argv = behind_env(argv);
    let Some(found) = argv.first().and_then(|first| find(Path::new(first))) else {
        return Vec::new();
    };
    let mut seen = with_its_kind(&found, home);
    let name = found.file_name().unwrap_or_default();
    let script = argv
        .iter()
        .skip(1)
        .find(|word| !word.as_encoded_bytes().starts_with(b"-"))
        .map(Path::new)
        .filter(|path| path.is_absolute() && path.is_file());
    if let Some(script) = script.filter(|_| INTERPRETERS.iter().any(|own| name == *own)) {
        seen.extend(with_its_kind(script, home));
    }
    seen
}

/// A command without an `env NAME=VALUE...` before it.
fn behind_env(argv: &[std::ffi::OsString]) -> &[std::ffi::OsString] {
    match argv {
        [env, rest @ ..] if Path::new(env).file_name().is_some_and(|name| name == "env") => {
            let is_set = |word: &&std::ffi::OsString| word.as_encoded_bytes().contains(&b'=');
            &rest[rest.iter().take_while(is_set).count()..]
        }
        _ => argv,
    }
}

/// A program by its name and as it really is, with the modules or the installation that it belongs to.
fn with_its_kind(path: &Path, home: &Path) -> Vec<PathBuf> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut all: Vec<PathBuf> = [path, &real].iter().map(|p| installation(p, home)).collect();
    all.dedup();
    all
}

/// The outermost node_modules above a program, or the folder whose bin/ it lies in; else the program alone.
fn installation(path: &Path, home: &Path) -> PathBuf {
    let modules = path
        .ancestors()
        .filter(|folder| folder.file_name().is_some_and(|name| name == "node_modules"))
        .last();
    if let Some(modules) = modules {
        return modules.to_owned();
    }
    let bin = path
        .parent()
        .filter(|folder| folder.file_name().is_some_and(|name| name == "bin"));
    let prefix = bin.and_then(Path::parent).filter(|prefix| {
        let too_much =
            home.starts_with(prefix) || prefix.parent().is_none() || *prefix == home.join(".local");
        !too_much && !Path::new("/usr").starts_with(prefix)
    });
    prefix.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_seen_with_what_it_belongs_to() {
        let home = Path::new("/home/u");
        for (program, seen) in [
            ("/srv/cli/node_modules/.bin/x", "/srv/cli/node_modules"),
            ("/srv/a/node_modules/b/node_modules/c/x.js", "/srv/a/node_modules"),
            ("/srv/venv/bin/agent", "/srv/venv"),
            ("/srv/agents/mine.sh", "/srv/agents/mine.sh"),
            ("/home/u/bin/mine", "/home/u/bin/mine"),
            ("/home/u/.local/bin/mine", "/home/u/.local/bin/mine"),
            ("/home/bin/mine", "/home/bin/mine"),
            ("/bin/sh", "/bin/sh"),
            ("/usr/bin/node", "/usr/bin/node"),
        ] {
            assert_eq!(
                installation(Path::new(program), home),
                Path::new(seen),
                "{program}"
            );
        }
    }

    #[test]
    fn only_an_interpreters_script_is_seen_too() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("mine.sh");
        std::fs::write(&script, "").unwrap();
        let of = |words: &[&str]| {
            let argv: Vec<_> = words.iter().map(std::ffi::OsString::from).collect();
            program(&argv, Path::new("/home/u"), |name| {
                Some(Path::new("/usr/bin").join(name))
            })
        };
        let script = script.display().to_string();
        let sees = |words: &[&str]| of(words).contains(&PathBuf::from(&script));
        assert!(sees(&["sh", &script]) && sees(&["sh", "-x", &script]));
        assert!(sees(&["/usr/bin/env", "A=b", "C=d", "sh", &script]));
        assert!(!sees(&["cat", &script]) && !sees(&["sh", "other", &script]));
        assert!(of(&["env", "A=b"]).is_empty());
    }

    #[test]
    fn no_toolchain_holds_a_secret() {
        let home = Path::new("/h");
        let all: Vec<PathBuf> = TOOLCHAINS.iter().map(|name| home.join(name)).collect();
        for secret in secrets(home) {
            assert!(
                !all.iter().any(|tool| secret.starts_with(tool)),
                "{}",
                secret.display()
            );
        }
    }
}
