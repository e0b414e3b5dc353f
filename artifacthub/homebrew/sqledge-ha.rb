# Installs the program that lints and fixes manifests.
class SqledgeHa < Formula
  desc "Keeps Azure SQL Edge highly available on Kubernetes: lints and fixes its manifests"
  homepage "https://github.com/sqledge-ha/sqledge-ha"
  version "@VERSION@"
  license "Apache-2.0"

@PLATFORMS@
  def install
    bin.install "sqledge-ha"
    generate_completions_from_executable(bin/"sqledge-ha", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/sqledge-ha --version")
    assert_match "persistent-data", shell_output("#{bin}/sqledge-ha rules")
  end
end
