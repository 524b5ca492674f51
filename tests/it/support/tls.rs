//! A certificate authority for one server's life, and the server's certificate for [`HOST`] and `localhost`.
//!
//! 127.0.0.1 is left out on purpose: through a tunnel, verify-full must go by the name of the real host.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// The host name that the servers' certificates are for. Nothing resolves it.
pub const HOST: &str = "db.example.test";

/// Where the files are, in the folder given to [`write`].
pub struct Files {
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub fn files(folder: &Path) -> Files {
    Files { ca: folder.join("ca.pem"), certificate: folder.join("server.pem"), key: folder.join("server.key") }
}

/// Makes and writes all three, owned by `owner`: servers refuse a key that others can read.
pub fn write(folder: &Path, owner: (u32, u32)) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "dbhaul test authority");
    let ca_certificate = ca.self_signed(&ca_key).expect("a certificate");

    let key = KeyPair::generate().expect("a key");
    let mut server = CertificateParams::new([HOST.to_owned(), "localhost".to_owned()]).expect("names");
    server.distinguished_name.push(DnType::CommonName, HOST);
    server.use_authority_key_identifier_extension = true;
    let issuer = Issuer::from_params(&ca, &ca_key);
    let certificate = server.signed_by(&key, &issuer).expect("a certificate");

    let files = files(folder);
    for (path, pem) in
        [(&files.ca, ca_certificate.pem()), (&files.certificate, certificate.pem()), (&files.key, key.serialize_pem())]
    {
        fs::write(path, pem).expect("write a certificate or key");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("chmod");
        chown(path, Some(owner.0), Some(owner.1)).expect("chown");
    }
}
