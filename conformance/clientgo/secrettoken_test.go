package clientgo

import (
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"gatehouse.dev/conformance/harness"
)

// TestTokensInSecrets makes a Secret for the token of a service account, uses what the controller puts into it, and sees it
// go with the account.
func TestTokensInSecrets(t *testing.T) {
	server := harness.Start(t)
	client := server.Client()
	accounts, secrets := client.CoreV1().ServiceAccounts("default"), client.CoreV1().Secrets("default")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	account, err := accounts.Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "builder"}}, metav1.CreateOptions{})
	must(err)
	_, err = secrets.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "builder-token", Annotations: map[string]string{corev1.ServiceAccountNameKey: "builder"}},
		Type:       corev1.SecretTypeServiceAccountToken,
	}, metav1.CreateOptions{})
	must(err)
	var filled *corev1.Secret
	harness.Eventually(t, "the secret is filled", func() bool {
		filled, err = secrets.Get(t.Context(), "builder-token", metav1.GetOptions{})
		return err == nil && len(filled.Data[corev1.ServiceAccountTokenKey]) > 0
	})
	if uid := filled.Annotations[corev1.ServiceAccountUIDKey]; uid != string(account.UID) {
		t.Errorf("the secret names the account's uid %q, not %q", uid, account.UID)
	}
	if got := string(filled.Data[corev1.ServiceAccountNamespaceKey]); got != "default" || len(filled.Data[corev1.ServiceAccountRootCAKey]) == 0 {
		t.Errorf("the secret holds the namespace %q and an authority of %d bytes", got, len(filled.Data[corev1.ServiceAccountRootCAKey]))
	}

	bearer := rest.AnonymousClientConfig(server.Config)
	bearer.BearerToken = string(filled.Data[corev1.ServiceAccountTokenKey])
	holder, err := kubernetes.NewForConfig(bearer)
	must(err)
	who := func() (*authenticationv1.SelfSubjectReview, error) {
		return holder.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	}
	review, err := who()
	must(err)
	if name := review.Status.UserInfo.Username; name != "system:serviceaccount:default:builder" {
		t.Errorf("the token is that of %s", name)
	}
	harness.Eventually(t, "its use is noted", func() bool {
		noted, err := secrets.Get(t.Context(), "builder-token", metav1.GetOptions{})
		if err != nil {
			return false
		}
		day, err := time.Parse(time.DateOnly, noted.Labels["kubernetes.io/legacy-token-last-used"])
		return err == nil && time.Since(day).Abs() < 48*time.Hour
	})

	must(accounts.Delete(t.Context(), "builder", metav1.DeleteOptions{}))
	harness.Eventually(t, "the secret goes with its account", func() bool {
		_, err := secrets.Get(t.Context(), "builder-token", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	if _, err := who(); !apierrors.IsUnauthorized(err) {
		t.Errorf("the token of an account that is gone gets %v", err)
	}
}
